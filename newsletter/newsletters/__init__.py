"""The newsletter as a unit: add newsletters, find them, and edit their content."""
