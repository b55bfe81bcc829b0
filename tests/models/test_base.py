"""The database layer: aware datetimes, ordered sequences, and requests that may only read."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from house import House
from sqlalchemy import delete, insert, update
from sqlalchemy.exc import StatementError

from newsletter.app import create_app
from newsletter.models import Heartbeat, Topic, current_sequence, db, take_sequences
from newsletter.models.base import new_public_id


def test_a_naive_time_cannot_be_stored(house: House):
    with house.runtime.session() as session, pytest.raises(StatementError, match="naive"):
        session.add(
            Heartbeat(name="w", kind="worker", started_at=datetime(2026, 1, 1), seen_at=datetime(2026, 1, 1))
        )
        session.flush()


def test_a_time_comes_back_as_the_same_moment_in_utc(either_house: House):
    moment = datetime(2026, 7, 1, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=3)))
    with either_house.runtime.session() as session:
        session.add(Heartbeat(name="w", kind="worker", started_at=moment, seen_at=moment))
        session.commit()

    with either_house.runtime.session() as session:
        kept = session.get_one(Heartbeat, "w").seen_at

    assert kept == moment
    assert kept.tzinfo is UTC


def test_an_error_of_the_database_quotes_no_address(house: House):
    house.add_subscriber(name="ann")
    errors = []
    with pytest.raises(StatementError) as fault:
        house.add_subscriber(name="ann")
    errors.append(str(fault.value))
    app = create_app(house.runtime.settings)
    with app.app_context():
        db.session.info["writes"] = True
        db.session.add(house.subscriber("ann"))
        with pytest.raises(StatementError) as fault:
            db.session.flush()
        errors.append(str(fault.value))
        db.session.rollback()

    assert [each for each in errors if "ann@" in each] == []


@pytest.mark.parametrize(
    "statement", [update(Topic).values(name="B"), delete(Topic), insert(Topic).values(slug="b", name="B")]
)
def test_a_request_that_only_reads_cannot_write_by_a_statement_either(house: House, statement: object):
    app = create_app(house.runtime.settings)
    with app.app_context():
        db.session.info["writes"] = False

        with pytest.raises(RuntimeError, match="only reads"):
            db.session.execute(statement)


def test_sequences_are_given_in_the_order_of_commits(either_house: House):
    given: list[int] = []

    def take_ten() -> None:
        for _ in range(10):
            with either_house.runtime.session() as session:
                first = take_sequences(session, 2)
                session.commit()
                given.append(first)

    threads = [threading.Thread(target=take_ten) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with either_house.runtime.reading() as session:
        assert current_sequence(session) == 60
    assert sorted(given) == list(range(1, 61, 2))


def test_a_write_lock_held_by_another_is_waited_for(house: House):
    with house.runtime.session() as first:
        first.add(Topic(slug="a", name="A", created_at=house.clock()))
        first.flush()
        with house.runtime.reading() as subscriber:
            assert subscriber.query(Topic).count() == 0
        done = threading.Event()

        def write() -> None:
            with house.runtime.session() as second:
                second.add(Topic(slug="b", name="B", created_at=house.clock()))
                second.commit()
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert not done.wait(0.2)
        first.commit()
        assert done.wait(10)
        writer.join()


def test_no_public_id_looks_like_an_option_of_a_command():
    made = {new_public_id() for _ in range(5_000)}

    assert len(made) == 5_000
    assert not [each for each in made if each.startswith("-")]
    assert {len(each) for each in made} == {12}
