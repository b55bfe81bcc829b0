"""Topics and their groups, and the topics that a person chose for a release."""
