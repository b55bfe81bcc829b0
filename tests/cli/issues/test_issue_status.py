from __future__ import annotations

import json

from house import House

from newsletter.cli.issues.issue_status import load_issue, print_status
from newsletter.models import Issue


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
