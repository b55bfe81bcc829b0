"""Reports that a relay's provider sends by HTTP: who signed them, and what they say."""
