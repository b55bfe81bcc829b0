"""The admin pages. Each needs a sign-in, unless it says otherwise."""

from __future__ import annotations

# Importing the views registers them with the blueprint.
from newsletter.web.admin import (
    approvals,
    approve,
    check,
    correction_notice,
    duplicates,
    edit_newsletter,
    edit_release,
    embed,
    explain,
    issues,
    overview,
    preview,
    refused_addresses,
    releases,
    schedule,
    send_from_here,
    sign_in,
    sources,
    subscribers,
    topic_rules,
    topics,
    urgent,
)
from newsletter.web.admin.blueprint import admin

__all__ = [
    "admin",
    "approvals",
    "approve",
    "check",
    "correction_notice",
    "duplicates",
    "edit_newsletter",
    "edit_release",
    "embed",
    "explain",
    "issues",
    "overview",
    "preview",
    "refused_addresses",
    "releases",
    "schedule",
    "send_from_here",
    "sign_in",
    "sources",
    "subscribers",
    "topic_rules",
    "topics",
    "urgent",
]
