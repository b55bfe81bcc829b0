"""A scripted relay: replies as a story says, and keeps a log of the messages that it accepted."""

from __future__ import annotations

import email
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from lives.turns import SimulatedCrash, stop_here
from newsletter.smtp.outcomes import Fate, Hooks, NoHooks, Outcome, Outgoing, Result, Step
from newsletter.smtp.replies import Reply

# What a relay may do with a message. With the last three the process dies: before the final dot, after it,
# and after the reply.
ANSWERS = (
    "accepted", "deferred", "rejected", "bounced", "unsent", "lost", "lost before", "crash before the dot",
    "crash after the dot", "crash after the reply",
)  # fmt: skip
TAKEN = {"accepted", "lost", "crash after the dot", "crash after the reply"}

_OUTCOMES = {
    "accepted": Outcome(Fate.REPLIED, Step.CONTENT, Reply(250, ("2.0.0 kept",))),
    "crash after the reply": Outcome(Fate.REPLIED, Step.CONTENT, Reply(250, ("2.0.0 kept",))),
    "deferred": Outcome(Fate.REPLIED, Step.CONTENT, Reply(450, ("4.2.1 mailbox busy",))),
    "rejected": Outcome(Fate.REPLIED, Step.CONTENT, Reply(554, ("5.6.0 not wanted",))),
    "bounced": Outcome(Fate.REPLIED, Step.RCPT, Reply(550, ("5.1.1 no such mailbox",))),
    "unsent": Outcome(Fate.UNSENT, Step.DATA, reason="the relay hung up"),
    "lost": Outcome(Fate.UNCERTAIN, Step.CONTENT, reason="no reply"),
    "lost before": Outcome(Fate.UNCERTAIN, Step.CONTENT, reason="no reply"),
}
_NUMBER = re.compile(r"Bulletin (\d+) text (\d+) ")


@dataclass
class ScriptedRelay:
    """A transport. `answers` are used up one for each digest; then everything is accepted.

    `is_digest` tells a digest from a single email by its delivery's id. `took` and `unbuilt` are told what
    the relay took (with the numbers and texts of the releases in it), and what could not be built. `told_of`
    is told of each single email that it took.
    """

    is_digest: Callable[[int], bool]
    took: Callable[[int, str, frozenset[tuple[int, int]]], None]
    unbuilt: Callable[[int, Exception], None]
    told_of: Callable[[int], None]
    answers: list[str] = field(default_factory=list)

    def send(self, messages: Iterable[Outgoing | None], hooks: Hooks | None = None) -> Iterator[Result]:
        told: Hooks = hooks or NoHooks()
        for message in messages:
            if message is None:
                told.meanwhile()
                continue
            if not self.is_digest(message.id):
                yield Result(message.id, self._single(message, told))
                continue
            stop_here("relay")
            yield Result(message.id, self._digest(message, told))

    def _single(self, message: Outgoing, told: Hooks) -> Outcome:
        if not told.before_envelope(message.id):
            return Outcome(Fate.SKIPPED)
        told.before_content(message.id)
        self.told_of(message.id)
        told.after_content(message.id, _OUTCOMES["accepted"])
        return _OUTCOMES["accepted"]

    def _digest(self, message: Outgoing, told: Hooks) -> Outcome:
        try:
            content = message.build()
        except Exception as error:
            self.unbuilt(message.id, error)
            return Outcome(Fate.UNBUILT, reason=str(error), error=error)
        if not told.before_envelope(message.id):
            return Outcome(Fate.SKIPPED)
        answer = self.answers.pop(0) if self.answers else "accepted"
        if answer == "bounced":
            return _OUTCOMES[answer]
        told.before_content(message.id)
        if answer == "crash before the dot":
            raise SimulatedCrash
        if answer in TAKEN:
            self.took(message.id, message.envelope.recipient, releases_in(content))
        if answer == "crash after the dot":
            raise SimulatedCrash
        told.after_content(message.id, _OUTCOMES[answer])
        if answer == "crash after the reply":
            raise SimulatedCrash
        stop_here("relay")
        return _OUTCOMES[answer]

    def close_idle(self) -> None:
        """Nothing is kept open."""

    def close(self) -> None:
        """Nothing is kept open."""


def releases_in(content: bytes) -> frozenset[tuple[int, int]]:
    """Return the number of each release in the text of a message, and which of its texts it is."""
    parts = [
        each for each in email.message_from_bytes(content).walk() if each.get_content_type() == "text/plain"
    ]
    return frozenset(
        (int(number), int(text))
        for part in parts
        for number, text in _NUMBER.findall(str(part.get_payload(decode=True)))
    )
