"""Build messages: digests from stored fragments, single emails from templates; recompose claimed digests."""
