"""Releases that sources bring: stored once although several sources have them, settled, and kept back."""
