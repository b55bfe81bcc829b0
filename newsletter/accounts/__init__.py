"""Accounts of administrators: creation, passwords and sign-in."""
