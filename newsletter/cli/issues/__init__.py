"""`newsletter digest`: its commands, and what several of them share."""
