"""Guard the times on admin pages: each carries its zone, because two editors may live in two zones."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from newsletter.models import Delivery, DeliveryState

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "admin"
# A time, and the zone that has to follow it: "2:00:00 PM UTC+2", "14:00 UTC", "14:00 (Europe/Vilnius)".
TIME = re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?(?:\s[AP]M)?(?P<zone>\s(?:UTC|\())?")
# A page formats a time by the macro `when` or by the filter `utc`.
BY_HAND = re.compile(r"strftime|\|\s*(datetime|time)\b|format_(date)?time|\[:\d+\]|%H")
# Emails and files for programs. The text of a release may have a time of its own.
NO_PAGES = {
    "admin.image",
    "admin.preview",
    "admin.preview_body",
    "admin.deliveries_csv",
    "admin.subscriber_consent_json",
}


def times_without_zone(page: str) -> list[str]:
    """Return the times in the text of a page that no zone follows."""
    words = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
    return [found.group() for found in TIME.finditer(words) if not found["zone"]]


def test_every_time_on_an_admin_page_carries_its_zone(furnished):
    client, seen = furnished.editor(), 0
    for rule in furnished.rules("GET"):
        if rule.endpoint.startswith("admin.") and rule.endpoint not in NO_PAGES:
            page = furnished.get(client, furnished.path(rule)).text
            assert times_without_zone(page) == [], rule.endpoint
            seen += len(TIME.findall(re.sub(r"<[^>]*>", " ", page)))
    assert seen > 15


def test_the_reasons_to_wait_on_an_issues_page_carry_their_zone(own_furnished):
    furnished = own_furnished
    later = furnished.runtime.now().replace(year=2099)
    with furnished.runtime.session() as session:
        issue = furnished.values["admin.issue"]["public_id"]
        session.query(Delivery).filter_by(state=DeliveryState.QUEUED).update({"due_at": later})
        from newsletter.models import Issue

        session.query(Issue).filter_by(public_id=issue).update({"own_hour": True, "state": "sending"})
        session.commit()

    page = furnished.get(furnished.editor(), f"/admin/issues/{issue}").text

    assert "an hour of their own" in page
    assert times_without_zone(page) == []


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_no_admin_template_formats_a_time_by_hand(path: Path):
    assert BY_HAND.search(path.read_text("utf-8")) is None


def test_a_time_without_its_zone_is_found():
    assert times_without_zone(
        "<p>Sent at <b>14:00</b>, again at 2:05 PM UTC+2 and 15:00 (Europe/Vilnius)</p>"
    ) == ["14:00"]
    assert BY_HAND.search('{{ at.strftime("%H") }}')
