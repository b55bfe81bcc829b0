"""Named rate limits: their keys, and how visitors spend them."""
