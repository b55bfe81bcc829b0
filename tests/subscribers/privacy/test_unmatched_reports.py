"""Reports without a subscriber that name an erased person."""

from __future__ import annotations

import zlib

from house import House

from newsletter.models import BounceStep, ReportOutcome, ReturnedMail, StepKind, Subscriber
from newsletter.subscribers.privacy.erase import erase
from newsletter.subscribers.privacy.unmatched_reports import AT_ONCE

NAMING = (
    b"To: <ANN@Example.org>", b"https://x.example/?m=ann%40example.org", b"ann=40example.org",
    b"b+ann=example.org@lists.example",
)  # fmt: skip
OTHERS = (b"To: <bob@example.org>", b"nobody", b"")


def test_an_erased_person_is_named_by_no_kept_message(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("harbours"), name="ann")
    messages = [*NAMING, *OTHERS, *([b"filler"] * AT_ONCE), NAMING[0]]
    with house.runtime.session() as session:
        for number, message in enumerate(messages):
            session.add(
                ReturnedMail(
                    digest=str(number), received_at=house.clock(), outcome=ReportOutcome.UNSIGNED,
                    words="said", raw=zlib.compress(message),
                )
            )  # fmt: skip
        session.commit()
        (ann,) = session.query(Subscriber)
        erase(session, house.runtime.tokens, ann.public_id, "page", house.clock())
        session.commit()

    rows = {each.digest: each for each in house.all(ReturnedMail)}
    emptied = {digest for digest, each in rows.items() if each.raw is None and each.words == ""}
    assert emptied == {str(number) for number, each in enumerate(messages) if each in NAMING}


def test_the_domain_of_an_erased_person_is_not_kept_with_their_failures(either_house: House):
    house = either_house
    topic = house.topic("harbours")
    for name in ("ann", "bob"):
        house.add_subscriber(topic, name=name)
    with house.runtime.session() as session:
        ann, bob = session.query(Subscriber).order_by(Subscriber.id)
        for person in (ann, bob):
            session.add(
                BounceStep(subscriber_id=person.id, at=house.clock(), kind=StepKind.HARD, domain="x.example")
            )
        session.flush()

        erase(session, house.runtime.tokens, ann.public_id, "page", house.clock())
        session.commit()

    assert {each.subscriber_id: each.domain for each in house.all(BounceStep)} == {1: "", 2: "x.example"}
