"""Ingest: decode bytes to text, and parse text into a press release."""
