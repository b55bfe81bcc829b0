"""Images of releases: encode them again in a process with limits, and store them by their content."""
