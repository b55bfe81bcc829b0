"""Parsing press releases: title, publisher, date and paragraphs from scraped text."""
