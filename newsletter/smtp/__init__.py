"""Talking to a relay: bytes in, a Reply out. Knows neither tables nor what a message says."""
