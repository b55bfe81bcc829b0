"""Read feeds (RSS, Atom, RDF, JSON Feed) and lists of feeds (OPML), and find the feeds of a page."""
