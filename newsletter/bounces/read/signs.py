"""The signs in a message that it is a report, and whose addresses stand in its header. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from newsletter.bounces.read.reasons import Reason, fold, reason_of_text
from newsletter.bounces.read.wording import says, starts_with
from newsletter.bounces.read_header import Header, addresses_in, first_text

_ONESELF = ("to", "delivered-to", "x-original-to", "from", "reply-to", "sender", "return-path", "errors-to")


@dataclass(frozen=True)
class HomeMade:
    """The signs of a report: its header, its text for people, and the headers of the returned messages."""

    header: Header
    text: str
    originals: Sequence[Header] = field(default=())

    @cached_property
    def by_program(self) -> bool:
        """Whether a program for mail delivery sent it.

        Shops and ticket systems write from addresses such as no-reply@ too. Then the subject decides.
        """
        if any(not path.strip(" <>") for path in self.header.get("return-path", ())):
            return True
        author = fold(first_text(self.header, "from"))
        if says("senders", author) or says("senders", fold(first_text(self.header, "sender"))):
            return True
        # The Sender field of a mailing list often contains "bounces", which proves nothing.
        return says("weak_senders", author) and self.subject_says_so

    @cached_property
    def subject(self) -> str:
        """The subject, folded for comparing with phrases."""
        return fold(first_text(self.header, "subject"))

    @cached_property
    def subject_says_so(self) -> bool:
        """Whether the subject is that of a report."""
        return says("subjects", self.subject)

    @cached_property
    def by_person(self) -> bool:
        """Whether a person answered or forwarded something, by the subject."""
        if self.by_program or self.has_failed_recipients:
            return False
        quotes = "\n>" in self.text
        return starts_with("forwards", self.subject) or (quotes and starts_with("answers", self.subject))

    @cached_property
    def signs(self) -> int:
        """How much in the header says that this is a report."""
        return self.by_program + self.subject_says_so + 2 * self.has_failed_recipients

    @property
    def may_be_report(self) -> bool:
        """Whether its header or its first words are those of a report."""
        if self.by_person:
            return False
        start = fold(self.text[:2000])
        return self.signs > 0 or says("failures", start) or says("delays", start)

    @property
    def has_failed_recipients(self) -> bool:
        """Whether the header names the failed addresses, as Exim and Gmail do."""
        return "x-failed-recipients" in self.header

    def says_failure(self, folded: str) -> bool:
        """Return whether a folded text says that an email failed or is late."""
        if says("failures", folded) or says("delays", folded):
            return True
        # A vague phrase, or a reason alone, needs a header that shows a report.
        return self.signs >= 2 and (
            says("weak_failures", folded) or reason_of_text(folded, whole=True) is not Reason.UNKNOWN
        )


def oneself_of(header: Header) -> set[str]:
    """Return the addresses of the sender and the recipient of a report. They are rarely the failed ones."""
    return {each.lower() for each in addresses_in(header, _ONESELF)}
