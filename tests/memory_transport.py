"""A transport for tests that keeps messages in memory."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from newsletter.smtp.commands import envelope_commands, stuff_dots
from newsletter.smtp.greeting import Extensions
from newsletter.smtp.outcomes import Envelope, Fate, Hooks, NoHooks, Outcome, Outgoing, Result, Step
from newsletter.smtp.replies import Reply

_NOTHING_NOW_SECONDS = 0.05
_EVERYTHING = Extensions(eight_bit=True, smtputf8=True)


@dataclass(frozen=True)
class Sent:
    """A message that a MemoryTransport accepted."""

    envelope: Envelope
    content: bytes


class MemoryTransport:
    """Keeps accepted messages in `sent`, and replies as `answer` says."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self._answers: dict[str, list[Outcome]] = {}

    def answer(self, recipient: str, *answers: Reply | Outcome) -> None:
        """Set the replies to the next messages for `recipient`, one each; later messages are accepted.

        A Reply is given at RCPT if it refuses, else for the content. An Outcome is returned unchanged; if its
        step is CONTENT, `after_content` is called with it too.
        """
        self._answers.setdefault(recipient, []).extend(
            answer if isinstance(answer, Outcome) else _outcome_of(answer) for answer in answers
        )

    def send(self, messages: Iterable[Outgoing | None], hooks: Hooks | None = None) -> Iterator[Result]:
        """Deliver `messages` in their order, in the caller's thread."""
        told: Hooks = hooks or NoHooks()
        for message in messages:
            if message is None:
                time.sleep(_NOTHING_NOW_SECONDS)
                told.meanwhile()
                continue
            try:
                content = message.build()
                stuff_dots(content)  # raises for a bare CR or LF, as a relay's connection would
                refused = envelope_commands(message.envelope, content, _EVERYTHING)
            except Exception as error:
                yield Result(message.id, Outcome(Fate.UNBUILT, reason=str(error), error=error))
                continue
            if not told.before_envelope(message.id):
                yield Result(message.id, Outcome(Fate.SKIPPED))
                continue
            refusal = self._refusal(message.envelope)
            if isinstance(refused[1], Reply):
                refusal = Outcome(Fate.REPLIED, Step.RCPT, refused[1])
            if refusal is not None:
                yield Result(message.id, refusal)
                continue
            told.before_content(message.id)
            outcome = self._deliver(message.envelope, content)
            told.after_content(message.id, outcome)
            yield Result(message.id, outcome)

    def reach(self) -> None:
        """Do nothing: no connection is needed."""

    def close_idle(self) -> None:
        """Do nothing: no connection is open."""

    def close(self) -> None:
        """Do nothing: no connection is open."""

    def _refusal(self, envelope: Envelope) -> Outcome | None:
        answers = self._answers.get(envelope.recipient)
        return answers.pop(0) if answers and answers[0].step is not Step.CONTENT else None

    def _deliver(self, envelope: Envelope, content: bytes) -> Outcome:
        answers = self._answers.get(envelope.recipient)
        outcome = answers.pop(0) if answers else _outcome_of(Reply(250, ("2.0.0 kept",)))
        if outcome.accepted:
            self.sent.append(Sent(envelope, content))
        return outcome


def _outcome_of(reply: Reply) -> Outcome:
    return Outcome(Fate.REPLIED, Step.CONTENT if reply.positive else Step.RCPT, reply)
