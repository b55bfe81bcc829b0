"""The settings: frozen, and read once from the environment and a `.env` file."""

from __future__ import annotations

from newsletter.settings.fields import (
    CONNECT_SECONDS,
    PREFIX,
    Settings,
    choose_backup,
    choose_relay,
    plain_return_path,
    variable,
)
from newsletter.settings.load import is_text, load_settings
from newsletter.settings.parse.places import BROKER_SCHEMES
from newsletter.settings.parse.sending import LONGEST_LEAVE_MAILBOX
from newsletter.settings.values import (
    DomainKey,
    IPStorage,
    Listener,
    Mailbox,
    Relay,
    RelaySecurity,
    SendingWindow,
    Span,
    WarmUp,
)

__all__ = [
    "BROKER_SCHEMES",
    "CONNECT_SECONDS",
    "LONGEST_LEAVE_MAILBOX",
    "PREFIX",
    "DomainKey",
    "IPStorage",
    "Listener",
    "Mailbox",
    "Relay",
    "RelaySecurity",
    "SendingWindow",
    "Settings",
    "Span",
    "WarmUp",
    "choose_backup",
    "choose_relay",
    "is_text",
    "load_settings",
    "plain_return_path",
    "variable",
]
