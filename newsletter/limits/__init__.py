"""Named rate limits: their keys, and the limits of visitors."""
