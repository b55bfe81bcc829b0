"""Two transactions that change one issue at the same time."""

from __future__ import annotations

from house import House, meanwhile

from newsletter.models import Issue
from newsletter.outbox.control import find_issue, retry_rejected
from newsletter.outbox.record import finish
from newsletter.smtp.replies import Reply


def test_an_issue_is_not_finished_while_somebody_queues_its_rejected_emails_again(big_house: House):
    house = big_house
    house.add_subscriber(house.topic("energy"), name="ann")
    house.release("A new energy cable")
    house.transport.answer("ann@example.org", Reply(550, ("5.7.1 not today",)))
    issue_id = house.open()
    with house.runtime.session() as session:
        public_id = session.get_one(Issue, issue_id).public_id
    house.drain()
    _set_sending_again(house, issue_id)

    with house.runtime.session() as session:
        retry_rejected(session, find_issue(session, public_id), "test", house.clock())
        session.flush()
        with meanwhile(house, lambda: _finish(house)):
            session.commit()

    assert house.issue_state(issue_id) == "sending"
    house.drain()
    assert house.recipients() == ["ann@example.org"]


def _set_sending_again(house: House, issue_id: int) -> None:
    """Set the issue back to the moment after the last reply and before it is finished."""
    from newsletter.models import IssueState

    with house.runtime.session() as session:
        session.get_one(Issue, issue_id).state = IssueState.SENDING
        session.commit()


def _finish(house: House) -> None:
    with house.runtime.session() as session:
        finish(session, house.clock())
        session.commit()
