"""Describe entries of the consent ledger in plain English. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from newsletter.models import ConsentAct

ACT_WORDS: Mapping[ConsentAct, str] = {
    ConsentAct.ASKED: "Asked to receive the newsletter",
    ConsentAct.CONFIRMED: "Confirmed",
    ConsentAct.CHANGED: "Changed topics or frequency",
    ConsentAct.LEFT: "Left",
    ConsentAct.RETURNED: "Took leaving back",
    ConsentAct.DISOWNED: "Said that they had not asked",
    ConsentAct.EXPIRED: "Did not confirm in time",
    ConsentAct.MOVED: "Moved to another address",
    ConsentAct.SNOOZED: "Paused",
    ConsentAct.RESUMED: "Went on after a pause",
    ConsentAct.REASONED: "Said why they left",
    ConsentAct.ERASED: "Was erased",
}

HOW_WORDS: Mapping[str, str] = {
    "form": "on the sign-up page",
    "embed": "on a form embedded elsewhere",
    "embed script": "on a form embedded elsewhere, by its script",
    "api": "through the API",
    "import": "by an import",
    "link": "by the button behind the link in a mail to them",
    "button": "by a button",
    "one-click": "by one click in their mail program (RFC 8058)",
    "mail": "by mail",
    "preferences": "on the page of their choices",
    "page": "on a page of their own",
    "undo": "by the way back",
    "joined": "two rows of theirs became one",
    "move": "by moving here from another address",
    "time": "time ran out",
    "admin": "by somebody in charge, in the admin pages",
    "command line": "by somebody in charge, by command",
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
