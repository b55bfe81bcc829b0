"""What a returned email says: its kind, and a failure for each recipient. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass

from newsletter.bounces.read.reasons import Reason

LONGEST_ADDRESS = 320
# The words of a server that are kept for people.
LONGEST_WORDS = 500

_WRAPPED = re.compile(r"^[\s<\"'(\[]+|[\s>\"')\],;:.]+$")
# X.400 addresses and Exchange name the type before the address.
_PREFIX = re.compile(r"\A(?:smtp|mailto)[=:]", re.IGNORECASE)
_MARKS = r"\s<>()\[\],;:\"@\\"
# The look-behind keeps the end of a longer word from being taken for an address.
_ADDRESS = re.compile(rf"(?<![^{_MARKS}])[^{_MARKS}]{{1,128}}@[^{_MARKS}]{{1,255}}")


# Chinese, Japanese and Korean write words right beside an address, without a space.
_GLUED_BEFORE = re.compile(r"([\u2e80-\uffef])(?=[!-~]{1,64}@)")
_GLUED_AFTER = re.compile(r"(@[a-zA-Z0-9.-]{1,255})(?=[\u2e80-\uffef])")


class Kind(enum.StrEnum):
    """What a message is: a delivery report, a complaint, an automatic reply, or something else."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    AUTOREPLY = "autoreply"
    OTHER = "other"


@dataclass(frozen=True)
class Failure:
    """What a report says about one recipient.

    `address` is what the sender mailed, as far as the report knows it. `final` is the address that failed: it
    differs when mail is forwarded. `permanent` means that the server will not try again, and
    `delayed` that it still tries. `unexplained` means that the report gives no reason at all.
    """

    address: str
    reason: Reason
    permanent: bool
    delayed: bool = False
    status: str = ""
    words: str = ""
    final: str = ""
    unexplained: bool = False

    @property
    def hard(self) -> bool:
        """Whether the address is dead, by this report."""
        return self.permanent and (self.reason.is_dead or self.unexplained)


@dataclass(frozen=True)
class Report:
    """A message that came back, with the failures or the complaining addresses that it names."""

    kind: Kind
    failures: tuple[Failure, ...] = ()
    complaints: tuple[str, ...] = ()

    @property
    def suppress(self) -> list[str]:
        """The addresses that are dead by this report."""
        return _once(each.address for each in self.failures if each.hard)

    @property
    def soft(self) -> list[str]:
        """The addresses that failed for another reason, or whose email is late."""
        dead = {each.lower() for each in self.suppress}
        rest = (each.address for each in self.failures if not each.hard)
        return _once(each for each in rest if each.lower() not in dead)


def as_json(report: Report) -> dict[str, object]:
    """Return a report as `newsletter bounce parse` prints it."""
    return {
        "kind": report.kind.value,
        "suppress": report.suppress,
        "soft": report.soft,
        "complaint": _once(report.complaints),
    }


def clean_address(text: str) -> str:
    """Return the address in a field, without its type, brackets and quotes; "" without one."""
    kind, semicolon, rest = text.partition(";")
    value = rest if semicolon and "@" not in kind else text
    value = _WRAPPED.sub("", value[: 4 * LONGEST_ADDRESS].strip())
    found = _ADDRESS.search(value)
    if found is None or len(found[0]) > LONGEST_ADDRESS or ".." in found[0]:
        return ""
    return _PREFIX.sub("", found[0].strip(".'`"))


def set_apart(text: str) -> str:
    """Return a text with a space between each address and the Chinese, Japanese or Korean words beside it."""
    return _GLUED_AFTER.sub(r"\1 ", _GLUED_BEFORE.sub(r"\1 ", text)) if "@" in text else text


def addresses_in_text(text: str) -> Iterable[re.Match[str]]:
    """Yield what looks like an address in a text."""
    return _ADDRESS.finditer(text)


def _once(addresses: Iterable[str]) -> list[str]:
    return list({each.lower(): each for each in reversed(list(addresses))}.values())[::-1]
