"""`newsletter bounce`: its commands."""
