"""The editor's pages: behind a sign-in, each of them, unless it says otherwise."""

from __future__ import annotations

# Importing the views registers them with the blueprint.
from newsletter.web.admin import embed, entrance, issues, overview, preview, readers, refused, releases
from newsletter.web.admin.blueprint import admin

__all__ = ["admin", "embed", "entrance", "issues", "overview", "preview", "readers", "refused", "releases"]
