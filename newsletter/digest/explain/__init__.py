"""Explain what a subscriber will get, and why each recent release is in it or not."""
