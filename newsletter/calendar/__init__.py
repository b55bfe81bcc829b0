"""The calendar of a newsletter: its rules, the instants of a date, and the rows that store them."""
