"""Pacing: rate limits of relays and domains, sending hours, and pausing when a relay fails."""
