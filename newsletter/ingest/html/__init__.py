"""HTML from outside: keep what our allow-list has, and turn it into paragraphs of text."""
