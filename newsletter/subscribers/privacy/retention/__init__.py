"""Retention: how long data is kept, and the steps that delete old data."""
