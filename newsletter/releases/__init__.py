"""Releases: store, edit and find them; topics and the rules that match releases to topics."""
