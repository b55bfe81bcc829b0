"""The newsletter as a unit: fill its first content from the settings, and edit it."""
