"""Read what a source has: its document, and the pages and images of its items."""
