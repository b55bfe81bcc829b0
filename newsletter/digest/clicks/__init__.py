"""Counted links of issues: what counts, and how often each was followed."""
