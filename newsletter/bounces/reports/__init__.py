"""Receive reports: whose they are, what they say about us, and what follows."""
