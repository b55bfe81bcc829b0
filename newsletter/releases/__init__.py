"""Releases: store, edit and find them; topics and the rules that match releases to topics."""

from __future__ import annotations

from newsletter.releases.duplicates import find as _find  # noqa: F401 (each flush then writes fingerprints)
from newsletter.releases.search import follow as _follow  # noqa: F401 (each flush then writes the index)
