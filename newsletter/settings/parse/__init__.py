"""Parsers of single settings. Each raises ValueError with the end of a sentence."""
