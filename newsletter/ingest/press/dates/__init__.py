"""Dates and datelines in press releases, in many languages and calendars."""
