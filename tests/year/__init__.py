"""Weeks of a scheduled newsletter on the real code, with an oracle that reads the emails."""
