"""The page “Returned mail”: charts with their tables."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from newsletter import bounce_steps
from newsletter.bounce_steps import Step
from newsletter.models import (
    Delivery,
    DeliveryState,
    Issue,
    IssueState,
    Lane,
    Rendition,
    StepKind,
    Subscriber,
)

PAGE = "/admin/returned"


@pytest.fixture
def failed(house):
    """An issue to two people, one of whom has no mailbox."""
    house.topic()
    house.add_subscriber("one@example.org")
    house.add_subscriber("two@other.org")
    now = house.clock()
    with house.make_session() as session:
        issue = Issue(
            title="No. <1>", frequencies=["daily"], state=IssueState.FINISHED, to_sequence=0, created_at=now
        )
        session.add(issue)
        session.flush()
        rendition = Rendition(issue_id=issue.id, key_hash="k", key="[]")
        session.add(rendition)
        session.flush()
        for person in session.scalars(select(Subscriber)).all():
            delivery = Delivery(
                lane=Lane.BULK, issue_id=issue.id, rendition_id=rendition.id, subscriber_id=person.id,
                state=DeliveryState.ACCEPTED, due_at=now, created_at=now, settled_at=now,
            )  # fmt: skip
            session.add(delivery)
            session.flush()
            if person.email == "one@example.org":
                step = Step(StepKind.HARD, person.id, "no such user", "5.1.1", delivery.id)
                bounce_steps.add(session, step, now)
        session.commit()
    return house


def test_a_new_installation_has_nothing_to_show(editor):
    page = editor.get(PAGE).text

    assert "No issue has been sent yet" in page and "<svg viewBox" not in page.split("<main")[1]


def test_each_chart_has_a_title_a_description_and_a_table_with_the_same_numbers(failed, editor):
    page = editor.get(PAGE).text

    for chart in ("chart-failures", "chart-complaints", "chart-reasons", "chart-domains"):
        assert f'aria-labelledby="{chart}-title {chart}-desc"' in page
        assert f'<title id="{chart}-title">' in page and f'<desc id="{chart}-desc">' in page
    assert "No. &lt;1&gt;" in page and "No. <1>" not in page
    assert '1 <span class="muted">50.00 %</span>' in page
    assert "no such user" in page and "example.org" in page
    assert "style=" not in page


def test_a_period_is_one_of_the_choices(failed):
    failed.clock.pass_(days=40)
    editor = failed.signed_in()

    assert "No returned mail in these days" in editor.get(f"{PAGE}?days=30").text
    for days in ("90", "365", "7", "x", "-1"):
        assert "No returned mail in these days" not in editor.get(f"{PAGE}?days={days}").text


def test_the_first_reasons_have_the_colours_of_the_kinds_above(failed, editor):
    """Otherwise one colour would mean two things on one page."""
    page = editor.get(PAGE).text
    legends = re.findall(r'series-(\d)"[^>]*></span>\s*([^<]+?)\s*<', page)

    assert ("0", "no such mailbox") in legends and ("0", "no such user") in legends
    assert ("1", "other failures") in legends and ("1", "mailbox full") in legends
    assert legends.count(("2", "policy")) == 2
