"""The public pages: sign-up, confirmation, preferences, unsubscribing, privacy."""

from __future__ import annotations

from newsletter.web.public import (
    change_address,
    confirm,
    follow,
    look,
    preferences,
    privacy,
    stay,
    unsubscribe,
)
from newsletter.web.public.blueprint import public

# Importing the views registers them with the blueprint.
from newsletter.web.public.signup import challenge, embed, subscribe

__all__ = [
    "challenge",
    "change_address",
    "confirm",
    "embed",
    "follow",
    "look",
    "preferences",
    "privacy",
    "public",
    "stay",
    "subscribe",
    "unsubscribe",
]
