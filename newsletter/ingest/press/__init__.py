"""Parse a press release from the text of a web page: title, publisher, date and paragraphs."""
