"""A subscriber acts at random between issues: each release that they asked for comes exactly once."""

from __future__ import annotations

import tempfile
from pathlib import Path

from house import House, make_house, make_right_token, make_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from newsletter.errors import StateConflict
from newsletter.mail.addresses import parse_address
from newsletter.models import Delivery, DeliveryState, Frequency, Rendition, Subscriber
from newsletter.models.rendition_key import read_key, release_ids
from newsletter.subscribers.choices.change_address import move, request_address_change
from newsletter.subscribers.choices.pauses import end_pauses
from newsletter.subscribers.choices.preferences import make_preferences_token, pause, resume, save_preferences
from newsletter.subscribers.leaving.undo import make_undo_token, undo
from newsletter.subscribers.leaving.unsubscribe import unsubscribe
from newsletter.subscribers.privacy.emailed_links import Right
from newsletter.tokens import Purpose

TOPICS = ("energy", "sea")
FREQUENCIES = (Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY)
# More than the releases of one example, so that the end of a pause drops none here.
EVERYTHING = 100

acts = st.one_of(
    st.tuples(st.just("release"), st.sampled_from(["Energy", "Sea", "Energy and sea"])),
    st.tuples(st.just("send"), st.sampled_from(FREQUENCIES)),
    st.tuples(st.just("open"), st.sampled_from(FREQUENCIES)),
    st.tuples(st.just("drain"), st.none()),
    st.tuples(st.just("choose"), st.tuples(st.sampled_from(FREQUENCIES), st.sampled_from(FREQUENCIES))),
    st.tuples(st.just("pause"), st.sampled_from([1, 4])),
    st.tuples(st.just("resume"), st.none()),
    st.tuples(st.just("weeks"), st.integers(1, 5)),
    st.tuples(st.just("move"), st.none()),
    st.tuples(st.just("join"), st.none()),
    st.tuples(st.just("leave and undo"), st.booleans()),
)


class Life:
    """One subscriber, and a second row of the same person, to whose address they may move."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.topics = [house.topic(slug) for slug in TOPICS]
        self.subscriber = house.add_subscriber(*self.topics, name="me")
        self.other: int | None = house.add_subscriber(self.topics[1], name="mine-too")
        self.rows = [self.subscriber]
        self.released: list[int] = []
        self.number = 0

    def do(self, act: str, value: object) -> None:
        # Some time passes between two actions.
        self.house.clock.pass_(minutes=7)
        getattr(self, act.replace(" ", "_"))(value)

    def release(self, title: str) -> None:
        self.number += 1
        self.released.append(self.house.release(f"{title} {self.number}"))

    def open(self, frequency: Frequency) -> bool:
        try:
            self.house.open(frequency)
        except StateConflict:  # nothing new for anybody
            return False
        return True

    def send(self, frequency: Frequency) -> None:
        if self.open(frequency):
            self.house.drain()

    def drain(self, _value: object = None) -> None:
        self.house.drain()

    def weeks(self, count: int) -> None:
        self.house.clock.pass_(weeks=count)
        self.sweep()

    def sweep(self) -> None:
        with self.house.runtime.session() as session:
            end_pauses(session, EVERYTHING, self.house.clock())
            session.commit()

    def choose(self, frequencies: tuple[Frequency, Frequency]) -> None:
        wanted = dict(zip(TOPICS, frequencies, strict=True))
        self.by_link(lambda session, tokens, link, now: save_preferences(session, tokens, link, wanted, now))

    def pause(self, weeks: int) -> None:
        self.by_link(lambda session, tokens, link, now: pause(session, tokens, link, weeks, now))

    def resume(self, _value: object) -> None:
        self.by_link(lambda session, tokens, link, now: resume(session, tokens, link, EVERYTHING, now))

    def move(self, _value: object) -> None:
        self.number += 1
        self.move_to(f"place{self.number}@example.org")

    def join(self, _value: object) -> None:
        if self.other is None:
            return
        with self.house.runtime.session() as session:
            address = session.get_one(Subscriber, self.other).email
        self.move_to(address or "")
        # Energy begins there with the old marks. The new address had the sea before.
        self.subscriber, self.other = self.other, None
        self.rows.append(self.subscriber)

    def move_to(self, address: str) -> None:
        runtime, now = self.house.runtime, self.house.clock()
        # Reset the rate limits, which other tests cover.
        self.house.clock.pass_(days=1)
        parsed = parse_address(address)
        self.by_link(
            lambda session, tokens, link, now: request_address_change(session, tokens, link, parsed, now),
            lambda tokens, *whose: make_right_token(tokens, Right.ADDRESS, *whose),
        )
        mail = [each for each in self.house.all(Delivery) if each.template == "change_address"][-1]
        assert mail.context is not None
        proof = runtime.tokens.fingerprint(parsed.canonical)
        payload = [mail.context["reader"], mail.context["change"], proof]
        link = runtime.tokens.make(Purpose.CHANGE_ADDRESS, payload, now)
        with runtime.session() as session:
            move(session, runtime.tokens, link, self.house.clock())
            session.commit()

    def leave_and_undo(self, drained: bool) -> None:
        tokens, clock = self.house.runtime.tokens, self.house.clock
        with self.house.runtime.session() as session:
            public_id = session.get_one(Subscriber, self.subscriber).public_id
            left = unsubscribe(session, tokens, public_id, None, clock(), "button")
            session.commit()
        if drained:
            self.house.drain()
        clock.pass_(minutes=1)
        with self.house.runtime.session() as session:
            undo(session, tokens, make_undo_token(tokens, public_id, left.ended_at, clock()), clock())
            session.commit()

    def by_link(self, act, make_token=make_preferences_token) -> None:
        runtime = self.house.runtime
        with runtime.session() as session:
            person = session.get_one(Subscriber, self.subscriber)
            now = self.house.clock()
            link = make_token(runtime.tokens, person.public_id, person.email_key or "", now)
            act(session, runtime.tokens, link, now)
            session.commit()

    def sent_to(self, *subscribers: int) -> list[int]:
        with self.house.runtime.session() as session:
            keys = (
                session.query(Rendition.key)
                .join(Delivery, Delivery.rendition_id == Rendition.id)
                .filter(Delivery.subscriber_id.in_(subscribers), Delivery.state == DeliveryState.ACCEPTED)
            )
            return [each for (key,) in keys for each in release_ids(read_key(key))]

    def end(self) -> None:
        """Let every pause end, and send an issue for every frequency."""
        self.house.clock.pass_(weeks=30)
        self.sweep()
        self.house.clock.pass_(minutes=7)
        self.house.drain()
        for frequency in FREQUENCIES:
            self.house.clock.pass_(minutes=7)
            self.send(frequency)


@hypothesis_settings(max_examples=20)
@given(st.lists(acts, min_size=1, max_size=12))
def test_each_release_comes_once_whatever_the_subscriber_does(story):
    with tempfile.TemporaryDirectory() as folder:
        house = make_house(make_settings(Path(folder)))
        life = Life(house)

        for act, value in story:
            life.do(act, value)
        life.end()

        received = [life.sent_to(row) for row in life.rows]
        house.runtime.engine.dispose()
    # Nothing comes twice to one address, and each release came to one of the two.
    assert [len(set(each)) for each in received] == [len(each) for each in received]
    assert set().union(*received) == set(life.released)
