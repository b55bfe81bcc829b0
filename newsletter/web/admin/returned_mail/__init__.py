"""Admin pages about returned mail: rates, reports, and their messages."""

from __future__ import annotations

from newsletter.web.admin.returned_mail import rates, reports

__all__ = ["rates", "reports"]
