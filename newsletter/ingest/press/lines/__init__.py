"""Classify a single line of a press release: page furniture, label, contact or organisation."""
