"""Choose what one relay is sent next: an issue, or the single emails of some newsletters. It reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from newsletter.messages.sender import Sender
from newsletter.models import Lane
from newsletter.outbox.lease import can_claim, issues_to_send, newsletters_with_singles, single_mail_is_due
from newsletter.outbox.pacing.allowance import Allowance
from newsletter.outbox.pacing.backup_relay import in_use, may_get, only_backup_may_get
from newsletter.outbox.pacing.priority import Priority, of_issue
from newsletter.outbox.parts import Parts


def has_any(
    session: Session, lane: Lane, issue_id: int | None, sender: Sender, usual: Sender, now: datetime
) -> bool:
    """Return whether the relay of `sender` may get some due email of an issue, or a single email.

    It is called for newsletters that have something due. Without a backup relay, any relay may get it.
    """
    conditions = may_get(sender, usual)
    newsletters = [sender.newsletter_id] if lane is Lane.SINGLE else None
    return not conditions or can_claim(session, lane, issue_id, now, newsletters, conditions)


class Chosen(NamedTuple):
    """What is claimed next: up to `room` deliveries of an issue, or single emails of some newsletters.

    None stands for all newsletters. `conditions` are further conditions on the deliveries. `sender` sends
    the issue, whose emails have this `priority`.
    """

    room: int
    issue_id: int | None = None
    newsletters: Sequence[int] | None = None
    conditions: Sequence[ColumnElement[bool]] = ()
    sender: Sender | None = None
    priority: Priority = Priority.SINGLE


class Chooser:
    """Chooses for one relay, within its allowance.

    `senders` has the sender of each newsletter, as of the last choice. If this relay sends for a newsletter,
    it is the sender at this relay. `here` has the ids of the newsletters that this relay sends for.
    """

    def __init__(self, parts: Parts, allowance: Allowance) -> None:
        self._parts = parts
        self._allowance = allowance
        self._usual: dict[int, Sender] = {}
        self.senders: dict[int, Sender] = {}
        self.here: set[int] = set()

    def choose(self, session: Session, lane: Lane, now: datetime) -> Chosen | None:
        """Return what to claim next for this relay; None if nothing is due that it may get soon.

        An issue whose newsletter uses another relay, has closed sending hours, or has a refused sender does
        not delay the issues after it.
        """
        if lane is Lane.SINGLE and not single_mail_is_due(session, now):
            return None
        issues = issues_to_send(session, now) if lane is Lane.BULK else []
        if lane is Lane.BULK and not issues:
            return None
        messages = self._parts.messages
        messages.refresh(session)
        every = messages.senders.every(session)
        self._usual = {each.newsletter_id: each for each in every}
        used = {each.newsletter_id: each for each in in_use(session, every, now)}
        here = {number: each for number, each in used.items() if self._is_here(each)}
        self.senders = used | here
        self.here = set(here)
        for issue in issues:
            sender, priority = here.get(issue.newsletter_id), of_issue(goes_first=issue.goes_first)
            room = self._allowance.room(priority, sender) if sender is not None else 0
            if sender is not None and room and self._has_any(session, lane, issue.id, sender, now):
                return Chosen(room, issue.id, None, self._may_get(sender), sender, priority)
        chosen = self._choose_singles(session, here, now) if lane is Lane.SINGLE else None
        return chosen or self._choose_tied(session, used, lane, now)

    def _is_here(self, sender: Sender) -> bool:
        return sender.relay.key == self._allowance.relay.key

    def _may_get(self, sender: Sender) -> Sequence[ColumnElement[bool]]:
        return may_get(sender, self._usual[sender.newsletter_id])

    def _has_any(
        self, session: Session, lane: Lane, issue_id: int | None, sender: Sender, now: datetime
    ) -> bool:
        """Return whether some due email is not tied to the other relay of its newsletter."""
        return has_any(session, lane, issue_id, sender, self._usual[sender.newsletter_id], now)

    def _choose_singles(self, session: Session, here: Mapping[int, Sender], now: datetime) -> Chosen | None:
        if len(self.senders) == 1 and not any(map(self._may_get, here.values())):
            room = self._allowance.room(Priority.SINGLE, *here.values()) if here else 0
            return Chosen(room) if room else None
        due = [here[each] for each in newsletters_with_singles(session, now) if each in here]
        due = [each for each in due if self._has_any(session, Lane.SINGLE, None, each, now)]
        rooms = {each.newsletter_id: self._allowance.room(Priority.SINGLE, each) for each in due}
        free = [each for each in due if not self._allowance.is_waiting(each) and rooms[each.newsletter_id]]
        if free and not any(map(self._may_get, free)):
            return Chosen(rooms[free[0].newsletter_id], newsletters=[each.newsletter_id for each in free])
        if free:
            # Some emails may be tied to a newsletter's other relay, so each newsletter is served alone.
            return self._singles_of(free[0], rooms[free[0].newsletter_id])
        # A refused sender is tested with one message.
        return next((self._singles_of(each, 1) for each in due if rooms[each.newsletter_id]), None)

    def _singles_of(self, sender: Sender, room: int) -> Chosen:
        return Chosen(room, newsletters=[sender.newsletter_id], conditions=self._may_get(sender))

    def _choose_tied(
        self, session: Session, used: Mapping[int, Sender], lane: Lane, now: datetime
    ) -> Chosen | None:
        """Choose emails that only this backup may get, of newsletters whose usual relay is in use again."""
        for number, usual in self._usual.items():
            backup = usual.backup
            if backup is None or not self._is_here(backup) or used[number] is not usual:
                continue
            issues, tied = only_backup_may_get(session, usual, lane, now)
            priority = Priority.SINGLE if lane is Lane.SINGLE else Priority.ISSUE
            room = self._allowance.room(priority, backup) if issues else 0
            if room:
                self.senders[number] = backup
                self.here.add(number)
                newsletters = [number] if lane is Lane.SINGLE else None
                return Chosen(room, issues[0], newsletters, tied, backup, priority)
        return None
