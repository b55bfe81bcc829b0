from __future__ import annotations

import json

from house import House
from sqlalchemy import select

from newsletter.cli.issues.issue_status import load_issue, print_status
from newsletter.models import Delivery, DeliveryState, Issue, IssueState


def _status(house: House, issue_id: int, capsys, *, as_json: bool = False) -> str:
    with house.runtime.session() as session:
        public_id = session.get_one(Issue, issue_id).public_id
    print_status(house.runtime, load_issue(house.runtime, public_id), as_json)
    return str(capsys.readouterr().out).removeprefix(public_id)


def test_with_one_newsletter_the_status_names_none(house: House, capsys):
    house.add_subscriber(house.topic("energy"))
    house.release("An energy plant")
    issue_id = house.open()

    assert _status(house, issue_id, capsys).startswith("  No. 1  sending: 1 waiting\n")


def test_with_several_newsletters_the_status_names_the_one_of_the_issue(house: House, capsys):
    second = house.newsletter("harbour")
    house.add_subscriber(house.topic("sea", newsletter=second))
    house.release("A whale in the sea")
    issue_id = house.open(newsletter=second)

    assert _status(house, issue_id, capsys).startswith("  harbour  No. 1  sending: 1 waiting\n")
    assert json.loads(_status(house, issue_id, capsys, as_json=True))["newsletter"] == "harbour"


def _change(house: House, issue_id: int, *states: DeliveryState, issue: IssueState) -> None:
    with house.runtime.session() as session:
        session.get_one(Issue, issue_id).state = issue
        for each, state in zip(session.scalars(select(Delivery).order_by(Delivery.id)), states, strict=True):
            each.state = state
        session.commit()


def test_the_status_says_how_to_look_and_how_to_decide_about_unknown_and_refused_emails(house: House, capsys):
    topic = house.topic("energy")
    for _ in range(2):
        house.add_subscriber(topic)
    house.release("An energy plant")
    issue_id = house.open()
    states = (DeliveryState.UNCERTAIN, DeliveryState.REJECTED)
    _change(house, issue_id, *states, issue=IssueState.FINISHED)

    text = _status(house, issue_id, capsys)
    steps = json.loads(_status(house, issue_id, capsys, as_json=True))["next_steps"]

    for words in ("--state uncertain", "resend-uncertain", "--state rejected", "retry-rejected"):
        assert words in text
        assert sum(words in each for each in steps) == 1


def test_the_status_of_a_cancelled_issue_says_what_becomes_of_unknown_emails(house: House, capsys):
    house.add_subscriber(house.topic("energy"))
    house.release("An energy plant")
    issue_id = house.open()
    _change(house, issue_id, DeliveryState.UNCERTAIN, issue=IssueState.CANCELLED)

    assert "To let the next issue bring its releases: newsletter digest resend-uncertain" in _status(
        house, issue_id, capsys
    )


def test_the_status_names_no_step_if_there_is_nothing_to_decide(house: House, capsys):
    house.add_subscriber(house.topic("energy"))
    house.release("An energy plant")
    issue_id = house.open()
    _change(house, issue_id, DeliveryState.ACCEPTED, issue=IssueState.FINISHED)

    assert json.loads(_status(house, issue_id, capsys, as_json=True))["next_steps"] == []
