"""Make issues of releases: select, compose and render digests, prepare deliveries, preview, archive."""
