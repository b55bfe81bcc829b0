"""Detect the encoding and the language of a text."""
