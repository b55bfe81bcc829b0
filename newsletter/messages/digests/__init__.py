"""Digests: render their parts once, join them for each selection, and recompose claimed ones."""
