"""Checks that a person or a start runs: settings, relay, return path."""
