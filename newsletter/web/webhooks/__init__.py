"""Webhooks: the URL to which a relay's provider, or a program of yours, posts its reports."""

from __future__ import annotations

from newsletter.web.webhooks.receive import webhooks

__all__ = ["webhooks"]
