"""Releases: storing them, their topics and rules, editing and finding them."""
