"""Admin pages about releases: list, write, edit, copies, notices of corrections, urgent ones, and sources."""

from __future__ import annotations

from newsletter.web.admin.releases import (
    correction_notice,
    duplicates,
    edit_release,
    releases,
    sources,
    urgent,
    write_release,
)

__all__ = [
    "correction_notice",
    "duplicates",
    "edit_release",
    "releases",
    "sources",
    "urgent",
    "write_release",
]
