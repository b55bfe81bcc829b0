"""The doors that visitors and readers use: signing up, confirming, choosing, leaving."""

from __future__ import annotations

# Importing the views registers them with the blueprint.
from newsletter.web.public import challenge, choices, confirming, embed, joining, leaving, moving, rights
from newsletter.web.public.blueprint import public

__all__ = ["challenge", "choices", "confirming", "embed", "joining", "leaving", "moving", "public", "rights"]
