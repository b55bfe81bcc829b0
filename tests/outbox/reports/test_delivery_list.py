"""The list of an issue's deliveries, and its CSV, in which no cell can be a formula."""

from __future__ import annotations

import csv
import io
from itertools import islice

from house import House

from newsletter.models import DeliveryState
from newsletter.outbox.reports import delivery_list
from newsletter.outbox.reports.delivery_list import DeliveryLine, as_csv, list_deliveries
from newsletter.smtp.replies import Reply


def test_every_delivery_is_listed_with_what_the_relay_said(house: House):
    energy = house.topic("energy")
    for name in ("ann", "ben"):
        house.add_subscriber(energy, name=name)
    house.release("A new energy cable")
    house.transport.answer("ben@example.org", Reply(550, ("5.7.1 not here",)))
    issue_id = house.send()

    with house.runtime.reading() as session:
        everyone = list(list_deliveries(session, issue_id))
        refused = list(list_deliveries(session, issue_id, DeliveryState.REJECTED))

    assert [(line.address, line.state) for line in everyone] == [
        ("ann@example.org", "accepted"),
        ("ben@example.org", "rejected"),
    ]
    assert [(line.reply_code, line.status, line.reply) for line in refused] == [
        (550, "5.7.1", "5.7.1 not here")
    ]


def test_more_deliveries_than_are_read_at_once_all_come(house: House):
    energy = house.topic("energy")
    with house.runtime.session() as session:
        for _ in range(delivery_list.LINES_AT_ONCE + 5):
            session.add(house.subscriber())
        session.flush()
        for subscriber in range(1, delivery_list.LINES_AT_ONCE + 6):
            session.add(house.subscription(subscriber, energy))
        session.commit()
    house.release("A new energy cable")
    issue_id = house.open()

    with house.runtime.reading() as session:
        lines = list(list_deliveries(session, issue_id))

    assert len(lines) == delivery_list.LINES_AT_ONCE + 5
    assert len({line.address for line in lines}) == len(lines)


def test_a_cell_that_somebody_else_wrote_is_no_formula():
    line = DeliveryLine("r1", "=cmd()@example.org", "rejected", 1, None, 550, "", '+1, "quoted"\nand a line')

    header, row = islice(csv.reader(io.StringIO("".join(as_csv([line])), newline="")), 2)

    assert header == list(DeliveryLine._fields)
    assert row == ["r1", "'=cmd()@example.org", "rejected", "1", "", "550", "", '\'+1, "quoted"\nand a line']
