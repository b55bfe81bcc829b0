"""Lives of an installation: whatever happens, nobody is skipped or emailed twice."""
