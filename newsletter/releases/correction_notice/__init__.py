"""Correction notices: tell those who have an earlier text of a release what was corrected."""
