"""Make issues from releases: select, compose and render digests, prepare deliveries, preview, archive."""
