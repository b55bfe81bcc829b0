"""Admin pages about releases: list, edit, copies, notices of corrections, urgent ones, and sources."""

from __future__ import annotations

from newsletter.web.admin.releases import (
    correction_notice,
    duplicates,
    edit_release,
    releases,
    sources,
    urgent,
)

__all__ = ["correction_notice", "duplicates", "edit_release", "releases", "sources", "urgent"]
