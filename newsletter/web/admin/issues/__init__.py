"""Admin pages about issues and their schedule."""

from __future__ import annotations

from newsletter.web.admin.issues import (
    approvals,
    approve,
    check,
    explain,
    issues,
    order,
    preview,
    schedule,
    send_from_here,
)

__all__ = [
    "approvals",
    "approve",
    "check",
    "explain",
    "issues",
    "order",
    "preview",
    "schedule",
    "send_from_here",
]
