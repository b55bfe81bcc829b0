"""The editor's pages: behind a sign-in, each of them, unless it says otherwise."""

from __future__ import annotations

from newsletter.web.admin import entrance
from newsletter.web.admin.blueprint import admin

__all__ = ["admin", "entrance"]
