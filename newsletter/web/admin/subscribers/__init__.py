"""Admin pages about subscribers and refused addresses."""

from __future__ import annotations

from newsletter.web.admin.subscribers import refused_addresses, subscribers

__all__ = ["refused_addresses", "subscribers"]
