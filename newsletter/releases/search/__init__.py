"""Full-text search of releases: the same words, index and queries on SQLite and PostgreSQL."""
