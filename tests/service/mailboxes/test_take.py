"""What happens to reports in a mailbox and at the commands when too many came that change nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bounces.reports.test_receive import report, the_delivery
from house import House, make_house, make_settings

from newsletter.bounces.reports.receive import MOST_IDLE_A_DAY
from newsletter.errors import LimitReached
from newsletter.models import ReportOutcome, ReturnedMail, ThrottleBucket
from newsletter.service.incoming.apply import take_in
from newsletter.service.mailboxes.take import After, Counts, take_message


@pytest.fixture
def flooded(tmp_path) -> House:
    """An installation that has recorded as many reports that change nothing as it does in a day."""
    house = make_house(make_settings(tmp_path, return_path_domain="news.example.org"))
    house.add_subscriber(house.topic("harbours"), name="ada")
    house.release("Harbours open")
    house.send()
    with house.runtime.session() as session:
        session.add_all(
            ReturnedMail(
                digest=f"{number:064}", received_at=house.clock() - timedelta(hours=1),
                outcome=ReportOutcome.UNSIGNED, raw=b"x",
            )
            for number in range(MOST_IDLE_A_DAY)
        )  # fmt: skip
        session.add(ThrottleBucket(key="reports:bare", level=0.0, updated_at=house.clock()))
        session.commit()
    return house


def test_a_report_that_is_not_recorded_is_refused_at_every_door_where_it_would_be_lost(flooded: House):
    unsigned = report(flooded).partition(b"Message-ID")[0] + b"--b--\n"

    with pytest.raises(LimitReached):
        take_in(flooded.runtime, unsigned, ["bounces@news.example.org"])

    assert len(flooded.all(ReturnedMail)) == MOST_IDLE_A_DAY


def test_in_a_mailbox_it_stays_and_one_about_us_is_read_again(flooded: House):
    counts, runtime = Counts(), flooded.runtime
    other = report(flooded).partition(b"Message-ID")[0] + b"--b--\n"
    assert take_message(runtime, report(flooded), counts) is After.SETTLE

    assert take_message(runtime, other, counts) is After.LEAVE
    assert take_message(runtime, report(flooded, words="no such user"), counts) is After.LATER

    assert (counts.left_alone, counts.later) == (1, 1)
    assert the_delivery(flooded).bounced_at == flooded.clock()
