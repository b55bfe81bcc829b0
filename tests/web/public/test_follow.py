"""The only GET that writes: a counted link leads to a release of ours, and adds one to a counter."""

from __future__ import annotations

import re

from newsletter.models import ClickCount, ClickCounting, ConsentEntry, Frequency, Issue, Release
from newsletter.newsletters.edit import edit_newsletter
from newsletter.tokens import Purpose

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def prepared(visitor, counting: ClickCounting = ClickCounting.AGREED) -> str:
    """Return a counted link of an issue."""
    house = visitor.house
    topic = house.topic("quay")
    house.add_subscriber(topic, name="ann")
    house.release("A new quay")
    house.send(Frequency.WEEKLY)
    with house.runtime.session() as session:
        edit_newsletter(
            session, house.runtime.settings, {"click_counting": counting.value}, actor="ed", now=house.clock()
        )
        session.commit()
    visitor.app.extensions["newsletter"].identities.forget()
    (issue,), (release,) = house.all(Issue), house.all(Release)
    payload = [issue.public_id, release.public_id, "release"]
    return f"/follow/{house.runtime.tokens.make(Purpose.COUNTED, payload, issue.created_at)}"


def ask(visitor, path: str, method: str = "GET", headers: dict[str, str] | None = None):
    return visitor.client.open(
        path, method=method, headers=headers or BROWSER, base_url="https://news.example.org", buffered=True
    )


def clicks(visitor) -> list[int]:
    return [each.clicks for each in visitor.house.all(ClickCount)]


def test_it_leads_to_the_release_and_counts(visitor):
    path = prepared(visitor)

    answer = ask(visitor, path)

    (release,) = visitor.house.all(Release)
    assert answer.status_code == 302
    assert answer.location == f"https://news.example.org/releases/{release.public_id}"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    assert clicks(visitor) == [1]


def test_a_robot_is_led_there_and_not_counted(visitor):
    path = prepared(visitor)

    for method, headers in (
        ("HEAD", BROWSER),
        ("GET", {"User-Agent": "curl/8.0"}),
        ("GET", {**BROWSER, "Sec-Purpose": "prefetch"}),
    ):
        assert ask(visitor, path, method, headers).status_code == 302

    assert clicks(visitor) == []


def test_it_leads_there_and_counts_nothing_while_counting_is_off(visitor):
    path = prepared(visitor, ClickCounting.OFF)

    assert ask(visitor, path).status_code == 302
    assert clicks(visitor) == []


def test_a_changed_link_leads_nowhere(visitor):
    path = prepared(visitor)

    assert ask(visitor, path[:-2]).status_code == 404
    assert ask(visitor, "/follow/https://evil.example/").status_code == 404
    assert clicks(visitor) == []


def count_from_now_on(visitor) -> None:
    with visitor.house.runtime.session() as session:
        given = {"click_counting": "agreed"}
        edit_newsletter(session, visitor.house.runtime.settings, given, actor="ed", now=visitor.house.clock())
        session.commit()
    visitor.app.extensions["newsletter"].identities.forget()


def test_the_preferences_page_asks_only_while_a_newsletter_counts_and_keeps_what_was_agreed(visitor):
    visitor.house.add_subscriber(visitor.house.topic("quay"), name="ann")
    path = visitor.preferences_path()
    often = re.findall(r'name="(topic-[\w-]+-frequency)"', visitor.get(path).text)
    chosen = {"topic-quay-wanted": "y", **dict.fromkeys(often, "weekly")}
    usual = {"language": "en", "time_zone": "UTC", "preferred_hour": ""}
    assert 'name="clicks"' not in visitor.get(path).text

    count_from_now_on(visitor)
    page = visitor.get(path).text
    (field,) = re.findall(r'<input[^>]*name="clicks"[^>]*>', page)
    assert "checked" not in field

    assert visitor.fill(path, **chosen, **usual, clicks="y").status_code == 303
    (field,) = re.findall(r'<input[^>]*name="clicks"[^>]*>', visitor.get(path).text)
    assert "checked" in field
    assert visitor.fill(path, **chosen, **usual).status_code == 303

    entries = [each.detail for each in visitor.house.all(ConsentEntry) if "counted_links" in each.detail]
    assert [each["counted_links"] for each in entries] == ["agreed", "refused"]
    assert entries[0]["words"].startswith("If you tick this, the links in your issues are counted")


def test_the_privacy_page_follows_the_setting(visitor):
    assert "we do not count clicks" in visitor.get("/privacy").text

    count_from_now_on(visitor)

    page = visitor.get("/privacy").text
    assert "we do not count clicks" not in page
    assert "but never by whom" in page
    assert "nie, von wem" in visitor.get("/privacy?lang=de").text
