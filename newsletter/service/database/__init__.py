"""The database of an installation: its schema, its backups, and what an upgrade fills in."""
