"""Tests of storing one release that several sources bring, also at the same moment."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

from house import NOON, House
from ingest.sources.samples import make_sample
from sqlalchemy import func, select

from newsletter.models import Release, ReleaseKey
from newsletter.releases.from_sources.arrive import Arrival, rewrite_held, store_arrival

QUAY = make_sample("quay", published=NOON.date())


def count(house: House) -> int:
    with house.runtime.reading() as session:
        return session.scalar(select(func.count()).select_from(Release)) or 0


def store(house: House, *arrivals: Arrival) -> list[bool]:
    new = []
    for each in arrivals:
        with house.runtime.session() as session:
            new.append(store_arrival(session, each, NOON)[1])
            session.commit()
    return new


def test_one_key_in_common_makes_two_arrivals_one_release(either_house: House):
    other = make_sample("other", title="Other title")

    assert store(either_house, Arrival(QUAY, ("a", "b")), Arrival(other, ("c", "b"))) == [True, False]
    assert count(either_house) == 1


def test_equal_texts_are_one_release_unless_their_dates_are_more_than_a_day_apart(either_house: House):
    tomorrow = replace(QUAY, published=NOON.date() + timedelta(days=1))
    week = replace(QUAY, published=NOON.date() - timedelta(days=7))

    assert store(either_house, *map(Arrival, (QUAY, tomorrow, week, week))) == [True, False, True, True]
    assert store(either_house, Arrival(QUAY, ("x",), recurs=True)) == [True]


def test_a_release_that_was_public_is_not_rewritten(either_house: House):
    changed = replace(QUAY, title="Changed")
    with either_house.runtime.session() as session:
        public, _ = store_arrival(session, Arrival(QUAY), NOON)
        settling, _ = store_arrival(
            session, Arrival(make_sample("b"), settles_until=NOON + timedelta(hours=1)), NOON
        )

        assert not rewrite_held(session, public, changed, NOON)
        assert rewrite_held(session, settling, changed, NOON)
        assert (public.title, settling.title) == (QUAY.title, "Changed")
        # A text that another release has is stored all the same: both were listed by the source.
        assert rewrite_held(session, settling, QUAY, NOON)
        session.commit()


def test_arrivals_at_the_same_moment_are_one_release_on_postgresql(big_house: House):
    """Eight transactions with a key in common, each with a text of its own, begin together."""
    big_house.topic("quay")
    start = threading.Barrier(8)
    new: list[bool] = []

    def arrive(at: int) -> None:
        press = make_sample(f"quay {at}")
        with big_house.runtime.session() as session:
            session.scalar(select(func.count()).select_from(Release))
            start.wait()
            _, is_new = store_arrival(session, Arrival(press, ("same", f"own-{at}")), NOON)
            session.commit()
        new.append(is_new)

    threads = [threading.Thread(target=arrive, args=(at,)) for at in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(new) == [False] * 7 + [True]
    assert count(big_house) == 1
    with big_house.runtime.reading() as session:
        assert session.scalar(select(func.count()).select_from(ReleaseKey)) == 2


def test_equal_texts_at_the_same_moment_are_one_release_on_postgresql(big_house: House):
    start = threading.Barrier(4)
    new: list[bool] = []

    def arrive() -> None:
        with big_house.runtime.session() as session:
            session.scalar(select(func.count()).select_from(Release))
            start.wait()
            new.append(store_arrival(session, Arrival(QUAY), NOON)[1])
            session.commit()

    threads = [threading.Thread(target=arrive) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(new) == [False, False, False, True]
