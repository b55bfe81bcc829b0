"""Templates of digests that an owner changes: their language, checks and process."""
