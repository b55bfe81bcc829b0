"""An issue of which two digests are accepted, two are leased and two are queued."""

from __future__ import annotations

from datetime import datetime, timedelta
from email import message_from_bytes, policy

from house import House
from sqlalchemy import update
from sqlalchemy.orm import Session

from newsletter.models import Delivery, Lane, Release, Subscriber
from newsletter.outbox.lease import claim, give_back
from newsletter.outbox.record import Attempt, record
from newsletter.smtp.outcomes import Fate, Outcome, Step
from newsletter.smtp.replies import Reply


def half_sent(house: House) -> tuple[int, list[int]]:
    """Send two digests of six, and let another worker lease two; return the issue and the leased deliveries.

    Each has the release "A sea wave" and another one. Ann's and Ben's are leased, Eva's and Ida's are sent,
    and Jon's and Kim's are due in an hour.
    """
    sea = house.topic("sea")
    for name in ("ann", "ben", "eva", "ida", "jon", "kim"):
        house.add_subscriber(sea, name=name)
    house.release("A calm sea")
    house.clock.pass_(hours=1)
    house.release("A sea wave")
    issue_id = house.open()
    with house.runtime.session() as session:
        by_name = session.query(Delivery.id).join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        ids = [each for (each,) in by_name.order_by(Subscriber.email)]
        # A database claims due deliveries in any order.
        _put_off(session, ids[2:], house.clock() + timedelta(hours=1))
        leased = claim(session, Lane.BULK, issue_id, "another", 2, house.clock())
        _put_off(session, ids[2:4], house.clock())
        session.commit()
    house.drain()
    assert sorted(house.states()) == ["accepted"] * 2 + ["leased"] * 2 + ["queued"] * 2
    return issue_id, sorted(leased, key=ids.index)


def _put_off(session: Session, ids: list[int], until: datetime) -> None:
    session.execute(update(Delivery).where(Delivery.id.in_(ids)).values(due_at=until))


def send_the_rest(house: House, leased: list[int]) -> None:
    """Let the other worker give back its leases, and send all that waits an hour later."""
    with house.runtime.session() as session:
        give_back(session, leased, "another", house.clock())
        session.commit()
    house.clock.pass_(hours=1)
    house.drain()


def the_wave(house: House) -> int:
    with house.runtime.reading() as session:
        return session.query(Release.id).filter(Release.title == "A sea wave").one()[0]


def subjects(house: House) -> list[str]:
    return [message_from_bytes(each.content, policy=policy.SMTP)["Subject"] for each in house.transport.sent]


def deliver_leased(house: House, leased: list[int]) -> None:
    """Record that the relay accepted what the other worker had leased, with the texts of that moment."""
    accepted = Outcome(Fate.REPLIED, Step.CONTENT, Reply(250, ("2.0.0 kept",)))
    with house.runtime.session() as session:
        rows = [session.get_one(Delivery, each) for each in leased]
        attempts = [
            Attempt(each.id, 1, Lane.BULK, each.created_at, each.subscriber_id, accepted) for each in rows
        ]
        record(session, house.runtime.messages, "another", attempts, house.clock())
        session.commit()
