"""The reason why an email came back, by its status (RFC 3463, RFC 5248) and the server's words. Pure."""

from __future__ import annotations

import enum
import re
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("reasons.toml")
# How many characters "*" in a phrase stands for, and how much of a text is read.
GAP = 80
LONGEST_TEXT = 4000
# How often the first piece of a phrase is looked for.
MOST_BEGINNINGS = 8
# An enhanced status: class 4 or 5, subject, detail. It is no part of an IP address or of a version.
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\.?\d)")
# A reply code at the start of the server's words, such as "550 " or "550-5.1.1".
_CODE = re.compile(r"(?:\A|[\s:<(\"'\[;>#])([45]\d\d)(?=[\s:;,.\-)\]#\"'<]|\Z)(?!\.\d)")


class Reason(enum.StrEnum):
    """Why an email came back. The first two mean that the address is dead."""

    NO_SUCH_USER = "no such user"
    DOMAIN_GONE = "domain gone"
    MAILBOX_FULL = "mailbox full"
    TOO_BIG = "too big"
    POLICY = "policy"
    CONTENT = "content"
    RATE = "rate"
    NETWORK = "network"
    UNKNOWN = "unknown"

    @property
    def is_dead(self) -> bool:
        """Whether it says that the address does not exist."""
        return self in (Reason.NO_SUCH_USER, Reason.DOMAIN_GONE)


# By subject and detail. Details of a subject that are missing here say little: the words decide.
_BY_STATUS = {
    detail: reason
    for reason, details in {
        Reason.NO_SUCH_USER: "1.0 1.1 1.3 1.4 1.6 2.1",
        Reason.DOMAIN_GONE: "1.2 1.10 4.4",
        Reason.MAILBOX_FULL: "2.2",
        Reason.TOO_BIG: "2.3 3.4",
        Reason.NETWORK: "3.1 3.2 4.1 4.2 4.3 4.5 4.6 4.7",
        Reason.RATE: "5.3",
        Reason.CONTENT: "6.0 6.1 6.2 6.3",
        Reason.POLICY: "1.7 1.8",
    }.items()
    for detail in details.split()
}
# These statuses are exact enough that no words about a missing mailbox change them.
_EXACT = {"2.2", "2.3", "3.4", "1.7", "1.8"}


def classify(status: str, text: str, *, whole: bool = False) -> Reason:
    """Return the reason that a server gave by its status ("5.1.1" or "") and its words."""
    detail = status.partition(".")[2]
    told = _BY_STATUS.get(detail, Reason.POLICY if detail.startswith("7.") else Reason.UNKNOWN)
    if detail in _EXACT:
        return told
    said = reason_of_text(text, whole=whole)
    if said is Reason.UNKNOWN:
        return told
    if told is Reason.UNKNOWN or said is told:
        return said
    # A status of a dead mailbox with words about the sender or the size: the words are closer to the fault.
    if told.is_dead and said in (Reason.NETWORK, Reason.CONTENT):
        return told
    return said


def reason_of_text(text: str, *, whole: bool = False) -> Reason:
    """Return the reason that a server's words name, or UNKNOWN. With `whole`, they stand in a longer text."""
    folded = fold(text)
    for reason, vague, phrases in _phrases():
        if not (whole and vague) and any(occurs(phrase, folded) for phrase in phrases):
            return reason
    return Reason.UNKNOWN


def fold(text: str) -> str:
    """Return a text as phrases are compared with it: lower case, single spaces, plain apostrophes."""
    folded = " ".join(text[:LONGEST_TEXT].replace("\u2019", "'").lower().split())
    return folded.replace("mail box", "mailbox").replace("mail-box", "mailbox")


def occurs(phrase: Sequence[str], folded: str) -> bool:
    """Return whether the pieces of a phrase occur in their order, each near the one before."""
    at = folded.find(phrase[0]) if phrase[-1] in folded else -1
    for _ in range(MOST_BEGINNINGS):
        if at < 0:
            return False
        if _goes_on(phrase, folded, at + len(phrase[0])):
            return True
        # The first piece may stand before it too, for example in another language.
        at = folded.find(phrase[0], at + 1)
    return False


def _goes_on(phrase: Sequence[str], folded: str, end: int) -> bool:
    for piece in phrase[1:]:
        at = folded.find(piece, end, end + GAP + len(piece))
        if at < 0:
            return False
        end = at + len(piece)
    return True


def pieces(phrase: str) -> tuple[str, ...]:
    """Return the pieces of a phrase between its gaps."""
    return tuple(each.strip(" ") if "*" in phrase else each for each in phrase.split("*"))


def status_in(text: str) -> str:
    """Return the first enhanced status of class 4 or 5 in a text, or ""."""
    for found in _STATUS.finditer(text[:LONGEST_TEXT]):
        if found[1] != "2" and len(found[2]) < 3:
            return f"{found[1]}.{int(found[2])}.{int(found[3])}"
    return ""


def code_in(text: str) -> int | None:
    """Return the first SMTP reply code 4yz or 5yz in a text, or None."""
    found = _CODE.search(text[:LONGEST_TEXT])
    return int(found[1]) if found else None


@cache
def _phrases() -> tuple[tuple[Reason, bool, tuple[tuple[str, ...], ...]], ...]:
    listed = tomllib.loads(_FILE.read_text(encoding="utf-8"))["reason"]
    return tuple(
        (
            Reason(each["name"]),
            each.get("vague", False),
            tuple(pieces(phrase) for phrase in dict.fromkeys(each["phrases"])),
        )
        for each in listed
    )
