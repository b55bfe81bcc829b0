"""Poll sources: fetch, read and store."""
