"""Reading sources: bytes become text, and text becomes a press release."""
