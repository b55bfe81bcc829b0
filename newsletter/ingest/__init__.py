"""A source becomes releases: bytes are read, parsed, decided on and stored."""
