"""Read web pages: one release from its page, and the releases that a page lists."""
