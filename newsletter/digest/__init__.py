"""Releases become an issue: who gets what, rendered once for everybody."""
