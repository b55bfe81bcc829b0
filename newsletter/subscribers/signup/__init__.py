"""Signing up: the request, its limits, the confirmation email, and what confirming does."""
