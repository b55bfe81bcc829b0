"""Short methods for tests of schedules: a house whose schedule is on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from house import House

from newsletter.calendar.changes import change_calendar, move_hour
from newsletter.calendar.rules import Rules
from newsletter.calendar.store import find_calendar, hour_of, set_rules, start, usual_calendar
from newsletter.models import FIRST_NEWSLETTER, Issue, NewsletterCalendar, Subscriber, Wave
from newsletter.service.sending.prepare_issues import prepare_issues
from newsletter.service.sending.send_round import judge_and_finish

EVERY_DAY = Rules(daily=frozenset(range(7)), weekly=frozenset({1}), monthly_day=15)


def at(text: str) -> datetime:
    """Return a moment in UTC, such as "2026-03-10 08:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Scheduled:
    """A house whose schedule is on: every day at 8 UTC, weekly on Tuesdays, monthly on the 15th."""

    house: House

    def start(self, when: str, rules: Rules = EVERY_DAY, **fields: Any) -> None:
        self.house.clock.moment = at(when)
        with self.house.runtime.session() as session:
            row = usual_calendar(FIRST_NEWSLETTER, "UTC")
            set_rules(row, rules)
            for name, value in fields.items():
                setattr(row, name, value)
            session.add(row)
            start(session, row, self.house.clock())
            session.commit()

    def work(self, when: str) -> list[str]:
        """Run the program at this moment; return who got an email, sorted."""
        self.house.clock.moment = at(when)
        before = len(self.house.transport.sent)
        prepare_issues(self.house.runtime, lambda: False)
        self.house.drain()
        judge_and_finish(self.house.runtime)
        sent = self.house.transport.sent[before:]
        return sorted(each.envelope.recipient.partition("@")[0] for each in sent)

    def choose_hour(self, subscriber: int, zone: str, hour: int | None) -> None:
        with self.house.runtime.session() as session:
            person = session.get_one(Subscriber, subscriber, with_for_update=True)
            before = hour_of(person)
            person.time_zone, person.preferred_hour = zone, hour
            move_hour(session, subscriber, before, hour_of(person), self.house.clock())
            session.commit()

    def change(self, **fields: Any) -> None:
        with self.house.runtime.session() as session:
            row = find_calendar(session, FIRST_NEWSLETTER, lock=True)
            assert row is not None

            def write(calendar: NewsletterCalendar) -> None:
                for name, value in fields.items():
                    setattr(calendar, name, value)

            change_calendar(session, row, write, self.house.clock())
            session.commit()

    def issues(self) -> list[tuple[date | None, str]]:
        with self.house.runtime.session() as session:
            return [(each.slot, str(each.state)) for each in session.query(Issue).order_by(Issue.id)]

    def waves(self) -> list[Wave]:
        with self.house.runtime.session() as session:
            return session.query(Wave).order_by(Wave.instant, Wave.slot).all()
