"""`newsletter bounce history | undo | go-on` from the command line."""

from __future__ import annotations

import json

import pytest
from cli.bounces.test_bounce import bounce, runtime
from sqlalchemy import select, update

from newsletter import bounce_steps
from newsletter.bounce_steps import Step
from newsletter.cli.bounces import bounce_history
from newsletter.models import NewsletterCalendar, ReportOutcome, ReturnedMail, StepKind, Subscriber

__all__ = ["runtime"]


@pytest.fixture
def number(runtime):
    """A failed email to Ada; the id of its step."""
    with runtime.session() as session:
        ada = session.scalar(select(Subscriber.id).where(Subscriber.email == "ada@example.org"))
        step = Step(StepKind.SOFT, ada, "mailbox full", "5.2.2", delivery_id=7)
        added = bounce_steps.add(session, step, runtime.now())
        session.commit()
    return added


def test_a_history_is_listed_and_a_step_undone(runtime, number):
    listed = bounce(runtime, "history", "ada@example.org", "--json")
    assert listed.returncode == 0, listed.stderr
    (step,) = [json.loads(line) for line in listed.stdout.splitlines()]
    assert (step["id"], step["kind"], step["reason"]) == (number, "soft", "mailbox full")

    done = bounce(runtime, "undo", str(number))
    again = bounce(runtime, "undo", str(number))

    assert (done.returncode, again.returncode) == (0, 1)
    assert b"(undone)" in bounce(runtime, "history", "ada@example.org").stdout
    assert bounce_history.ACTOR.encode() in bounce(runtime, "history", "ada@example.org").stdout


def test_an_address_without_a_history_says_so(runtime):
    assert b"No email" in bounce(runtime, "history", "ben@example.org").stdout


def test_the_next_issue_is_let_go_by_a_person(runtime):
    assert b"No issue waited" in bounce(runtime, "go-on", "news").stdout
    with runtime.session() as session:
        session.execute(update(NewsletterCalendar).values(approve_next=True))
        session.commit()

    bounce(runtime, "go-on", "news")

    with runtime.reading() as session:
        assert True not in session.scalars(select(NewsletterCalendar.approve_next)).all()


def test_reports_are_printed_as_json(runtime, number):
    with runtime.session() as session:
        session.add(ReturnedMail(digest="d", received_at=runtime.now(), outcome=ReportOutcome.UNSIGNED))
        session.commit()

    listed = bounce(runtime, "reports", "--json")

    assert [json.loads(line)["outcome"] for line in listed.stdout.splitlines()] == ["unsigned"]
