"""The cleanup task: what it does, and how often."""

from __future__ import annotations

from dataclasses import replace

import pytest
from house import make_settings
from sqlalchemy import update

from newsletter.jobs.app import make_celery
from newsletter.jobs.cleanup import TIDY, tidy
from newsletter.jobs.tasks import DRAIN, Engine
from newsletter.mail.addresses import parse_address
from newsletter.models import Frequency, Lane, Subscriber
from newsletter.notices import NoticeKind, as_record, open_notices
from newsletter.subscribers.consent.head import FILE_NAME
from newsletter.subscribers.consent.wording import current_wording
from newsletter.subscribers.signup.request import Signup, request_signups
from newsletter.subscribers.signup.resolve import resolve_signups


@pytest.fixture
def asked(house):
    """A subscriber who signed up, was sent the confirmation, and did not confirm."""
    house.topic("energy")
    runtime = house.runtime
    with runtime.session() as session:
        signup = Signup(
            address=parse_address("ann@example.org"),
            choices={"energy": Frequency.DAILY},
            wording=current_wording(),
        )
        request_signups(session, [signup], house.clock())
        resolve_signups(session, runtime.tokens, house.clock())
        session.commit()
    house.drain("single")
    return house


def emails(house):
    return [each.email for each in house.all(Subscriber)]


def run(house, stopping=False, **more):
    sent = []
    runtime = replace(house.runtime, settings=replace(house.runtime.settings, **more))
    tidy(Engine(runtime, lambda *words, at_most=None: sent.append(words) or True, lambda: stopping))
    return sent


def test_cleaning_comes_once_an_hour_however_often_it_is_asked_for(asked):
    asked.clock.pass_(days=13, hours=23, minutes=50)
    run(asked)
    asked.clock.pass_(minutes=20)
    run(asked)
    assert emails(asked) == ["ann@example.org"]

    asked.clock.pass_(minutes=41)
    run(asked)

    assert emails(asked) == [None]


def test_what_was_left_undone_is_done_the_next_time(asked):
    asked.clock.pass_(days=15)
    run(asked, stopping=True)
    assert emails(asked) == ["ann@example.org"]

    run(asked)

    assert emails(asked) == [None]


def test_a_reminder_is_enqueued_and_a_drain_asked_for_when_the_settings_say_so(asked):
    asked.clock.pass_(hours=30)
    assert run(asked) == []

    assert run(asked, reminder_hours=24) == [(Lane.SINGLE, DRAIN, "single")]
    assert run(asked, reminder_hours=24) == []
    asked.drain("single")
    assert asked.recipients() == ["ann@example.org"] * 2


@pytest.mark.parametrize("harm", ["the database", "the head"])
def test_a_ledger_that_does_not_fit_its_head_is_told_to_the_owner_until_it_fits_again(asked, harm):
    head = asked.runtime.settings.data_dir / FILE_NAME
    run(asked)
    good = head.read_bytes()

    asked.clock.pass_(days=1)
    if harm == "the database":
        mark_as_erased(asked, asked.clock())
    else:
        head.write_bytes(good + good)
    run(asked)
    (told,) = open_matters(asked)
    asked.clock.pass_(days=1)
    mark_as_erased(asked, None)
    head.write_bytes(good)
    run(asked)

    assert told["kind"] == NoticeKind.CONSENT_LEDGER.key
    assert "newsletter consent verify --all" in told["remedy"]
    assert open_matters(asked) == []


def mark_as_erased(house, at):
    with house.runtime.session() as session:
        session.execute(update(Subscriber).values(erased_at=at))
        session.commit()


def open_matters(house):
    with house.runtime.session() as session:
        return [as_record(each) for each in open_notices(session)]


def test_the_clock_knows_the_task(tmp_path):
    app = make_celery(make_settings(tmp_path))

    entry = app.conf.beat_schedule["tidy"]

    assert entry["task"] == TIDY
    assert TIDY in app.tasks
    app.runtime.engine.dispose()
