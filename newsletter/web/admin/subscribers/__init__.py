"""Admin pages about subscribers and refused addresses."""

from __future__ import annotations

from newsletter.web.admin.subscribers import domains, refused_addresses, subscribers, suppressions

__all__ = ["domains", "refused_addresses", "subscribers", "suppressions"]
