"""Retention: what is kept for how long, and the job that deletes the rest."""
