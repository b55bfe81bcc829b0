"""Releases: store, edit and find them; topics and the rules that match releases to topics."""

from newsletter.releases.search import follow as _follow  # noqa: F401 (each flush then writes the index)
