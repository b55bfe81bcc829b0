"""Describe entries of the consent ledger in plain English. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from newsletter.models import ConsentAct

ACT_WORDS: Mapping[ConsentAct, str] = {
    ConsentAct.ASKED: "Asked to receive the newsletter",
    ConsentAct.CONFIRMED: "Confirmed",
    ConsentAct.CHANGED: "Changed topics or frequency",
    ConsentAct.LEFT: "Unsubscribed",
    ConsentAct.RETURNED: "Undid an unsubscription",
    ConsentAct.DISOWNED: "Said that they had not asked",
    ConsentAct.EXPIRED: "Did not confirm in time",
    ConsentAct.MOVED: "Moved to another address",
    ConsentAct.SNOOZED: "Paused",
    ConsentAct.RESUMED: "Resumed after a pause",
    ConsentAct.REASONED: "Said why they unsubscribed",
    ConsentAct.ERASED: "Was erased",
}

HOW_WORDS: Mapping[str, str] = {
    "form": "on the sign-up page",
    "embed": "on a form on another website",
    "embed script": "on a form on another website, by its script",
    "api": "through the API",
    "import": "by an import",
    "link": "by the link in an email to them",
    "button": "by the button on the page",
    "one-click": "by one click in their mail program (RFC 8058)",
    "mail": "by email",
    "preferences": "on the preferences page",
    "page": "on their own page",
    "undo": "by an undo link",
    "joined": "by a merge of two rows",
    "move": "by a change from another address",
    "time": "because the time was over",
    "admin": "by an administrator, in the admin pages",
    "command line": "by an administrator, on the command line",
}


def act_in_words(act: str) -> str:
    """Return the description of an act. An act of a later version is returned unchanged."""
    return ACT_WORDS.get(ConsentAct(act), act) if act in set(ConsentAct) else act


def how_in_words(how: str) -> str:
    """Return the description of how it was done. An unknown value is returned unchanged."""
    return HOW_WORDS.get(how, how)


def detail_in_words(detail: Mapping[str, object]) -> str:
    """Return the details of an entry on one line: `energy: daily, sea: weekly`."""
    parts = []
    for name, value in detail.items():
        if isinstance(value, Mapping):
            parts += [f"{key}: {each}" for key, each in value.items()]
        elif isinstance(value, list):
            parts.append(f"{name.replace('_', ' ')}: {', '.join(str(each) for each in value)}")
        else:
            parts.append(f"{name.replace('_', ' ')}: {value}")
    return ", ".join(parts)
