"""`newsletter release`: its commands, and what several of them share."""
