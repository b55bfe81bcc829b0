"""Scheduled issues: open the waves of each date, prepare them, and gather for issues as they happen."""
