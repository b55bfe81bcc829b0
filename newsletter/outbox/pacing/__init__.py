"""Pacing: limits of relays and domains, sending hours, and what follows a relay's failures."""
