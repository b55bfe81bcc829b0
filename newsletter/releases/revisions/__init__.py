"""The revisions of a release, and the differences between them."""
