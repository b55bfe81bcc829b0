"""The public archive: releases, issues, search, and feeds; robots.txt and the sitemap."""

from __future__ import annotations

# Importing the views registers them with the blueprint.
from newsletter.web.archive import feeds, images, issues, lists, release, robots
from newsletter.web.archive.blueprint import archive

__all__ = ["archive", "feeds", "images", "issues", "lists", "release", "robots"]
