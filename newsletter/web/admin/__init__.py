"""The admin pages. Each needs a sign-in, unless it says otherwise."""

from __future__ import annotations

# Importing the views registers them with the blueprint.
from newsletter.web.admin import (
    audit_log,
    issues,
    newsletters,
    overview,
    releases,
    returned_mail,
    sign_in,
    subscribers,
)
from newsletter.web.admin.blueprint import admin

__all__ = [
    "admin",
    "audit_log",
    "issues",
    "newsletters",
    "overview",
    "releases",
    "returned_mail",
    "sign_in",
    "subscribers",
]
