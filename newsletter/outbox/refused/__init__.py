"""Refused addresses ("no such mailbox"): judge them by other outcomes, or ask the owner what they mean."""
