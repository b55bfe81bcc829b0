"""Issues in the browser, by number and by link."""

from __future__ import annotations

import pytest

from newsletter.digest.order.change import GivenSection, change_order
from newsletter.models import FIRST_NEWSLETTER, Delivery, Frequency, Release, Subscription
from newsletter.tokens import Purpose


def test_a_subscriber_sees_their_issue_in_the_browser_and_nobody_elses(visitor):
    visitor.join(frequency="weekly")
    visitor.house.release("Energy from waves")
    visitor.house.send()
    delivery = next(each for each in visitor.house.all(Delivery) if each.issue_id)
    subscriber = visitor.person().public_id

    mine = visitor.get(f"/issues/{visitor.token(Purpose.VIEW, subscriber, delivery.id)}")
    others = visitor.get(f"/issues/{visitor.token(Purpose.VIEW, 'somebody', delivery.id)}")
    gone = visitor.get(f"/issues/{visitor.token(Purpose.VIEW, subscriber, 999)}")

    assert mine.status_code == 200
    assert "Energy from waves" in mine.text
    assert "script-src" not in mine.headers["Content-Security-Policy"]
    assert mine.headers["Referrer-Policy"] == "no-referrer"
    assert (others.status_code, gone.status_code) == (404, 404)


def send(visitor, *topics: int) -> None:
    """Send an issue with everything to a new subscriber."""
    subscriber = visitor.house.add_subscriber(*topics)
    with visitor.house.runtime.session() as session:
        for each in session.query(Subscription).filter_by(subscriber_id=subscriber):
            each.started_sequence = each.covered_to = 0
        session.commit()
    visitor.house.send(Frequency.WEEKLY)


def test_an_issue_has_a_page_for_everybody(visitor):
    visitor.house.release("Energy from waves")
    visitor.house.release("Sea and shore")
    send(visitor, 1)
    visitor.house.release("Energy from wind")
    send(visitor, 2)

    first, second = visitor.get("/issues/1"), visitor.get("/issues/2")

    assert first.status_code == 200
    assert "No. 1" in first.text
    assert "Energy from waves" in first.text and "Sea and shore" not in first.text
    assert "Sea and shore" in second.text and "Energy from wind" in second.text
    assert 'rel="prev" href="/issues/2"' in first.text and 'rel="next" href="/issues/1"' in second.text


def test_the_page_of_an_issue_has_the_sections_that_an_editor_named(visitor):
    visitor.house.release("Energy from waves")
    wind = visitor.house.release("Energy from wind")
    with visitor.house.runtime.session() as session:
        sections = [
            GivenSection("Top <stories>", [session.get_one(Release, wind).public_id], {"de": "Ganz oben"}),
            GivenSection("Nothing here", []),
        ]
        change_order(
            session, FIRST_NEWSLETTER, "by-hand", sections, 0,
            languages=["en", "de"], actor="test", now=visitor.house.clock(),
        )  # fmt: skip
        session.commit()
    send(visitor, 1)

    page, german = visitor.get("/issues/1").text, visitor.get("/issues/1?lang=de").text

    places = [
        page.index(each)
        for each in ("Top &lt;stories&gt;", "Energy from wind", "More releases", "Energy from waves")
    ]
    assert places == sorted(places)
    assert "2 releases" in page
    assert "Nothing here" not in page
    assert "Ganz oben" in german


@pytest.mark.parametrize("number", ["0", "2", "-1", "1x", "9" * 30, "x"])
def test_a_number_without_an_issue_is_not_found(visitor, number):
    visitor.house.release("Energy from waves")
    send(visitor, 1)

    assert visitor.get(f"/issues/{number}").status_code == 404


def test_each_of_several_newsletters_counts_its_own_issues(visitor):
    other = visitor.house.newsletter("other")
    quay = visitor.house.topic("quay", newsletter=other)
    visitor.house.release("Energy and a quay")
    send(visitor, 1)
    subscriber = visitor.house.add_subscriber(quay)
    with visitor.house.runtime.session() as session:
        for each in session.query(Subscription).filter_by(subscriber_id=subscriber):
            each.started_sequence = each.covered_to = 0
        session.commit()
    visitor.house.send(Frequency.WEEKLY, newsletter=other)

    short = visitor.get("/issues/1")

    assert (
        short.status_code == 308 and short.location.startswith("/n/") and short.location.endswith("/issues/1")
    )
    assert "Energy and a quay" in visitor.get(short.location).text
    assert "Other News" in visitor.get("/n/other/issues/1").text
