"""An editor orders an issue on its page, without JavaScript."""

from __future__ import annotations

import re

from sqlalchemy import select
from web.admin.conftest import Browser, House

from newsletter.accounts.create import create_account
from newsletter.accounts.passwords import hash_password
from newsletter.models import AuditEntry, Issue, IssueOrder, IssueState
from newsletter.newsletters.edit import edit_newsletter
from newsletter.service.sending.prepare_issues import prepare_issues, run_schedules

# The clock of these tests stands at noon on Thursday, 2025-10-23. The first emails of Friday are due at 8.
PAGE = "/admin/newsletters/news/order/2025-10-24"
SCHEDULE = "/admin/newsletters/news/schedule"


def furnish(house: House, editor: Browser) -> list[str]:
    """Start the schedule; return the public ids of two releases."""
    house.topic()
    house.topic("ferries")
    house.add_subscriber()
    house.add_subscriber("ann@example.org", "ferries")
    token = editor.hidden(SCHEDULE, "csrf_token")
    editor.client.post(SCHEDULE, data={"csrf_token": token, "action": "start"})
    return [house.release("A new quay"), house.release("A ferry strike", topic="ferries")]


def order_of(page: str) -> list[str]:
    """Return what stands in an issue, from the top."""
    found = re.findall(r"<h([23])[^>]*>(.*?)</h\1>", page, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", text).strip() for _, text in found]


def form(version: int, title: str, *releases: str) -> dict[str, object]:
    """Return the fields of a form with one section."""
    fields: dict[str, object] = {
        "version": version,
        "sections": 3,
        "title-1": title,
        "release": list(releases),
    }
    for place, each in enumerate(releases, start=1):
        fields |= {f"section-{each}": "1", f"place-{each}": str(place)}
    return fields


def test_the_schedule_leads_to_the_order_of_each_date(house, editor):
    furnish(house, editor)

    assert f'href="{PAGE}"' in editor.get(SCHEDULE).text
    text = editor.get(PAGE).text
    assert text.index("A new quay") < text.index("A ferry strike")
    assert "Order of the issue for 2025-10-24" in text


def test_a_section_is_saved_and_the_issue_follows(house, editor):
    quay, strike = furnish(house, editor)

    answer = editor.post(PAGE, form(0, "Top stories", strike, quay))

    assert answer.status_code == 303
    assert order_of(editor.get(f"{PAGE}/body").text) == ["Top stories", "A ferry strike", "A new quay"]
    text = editor.get(PAGE).text
    assert 'value="Top stories"' in text
    assert text.index("A ferry strike") < text.index("A new quay")
    assert "Changed by editor@example.org" in text
    assert "issue.order" in house.all(select(AuditEntry.action))


def test_the_lowest_number_comes_first_and_equal_ones_stay_as_they_are(house, editor):
    quay, strike = furnish(house, editor)
    fields = form(0, "Top", strike, quay) | {f"place-{strike}": "9", f"place-{quay}": "2"}

    editor.post(PAGE, fields)
    editor.post(PAGE, form(1, "Top", strike, quay) | {f"place-{strike}": "", f"place-{quay}": "x"})

    assert order_of(editor.get(f"{PAGE}/body").text) == ["Top", "A ferry strike", "A new quay"]


def test_a_preview_stores_nothing(house, editor):
    quay, _ = furnish(house, editor)

    answer = editor.post(f"{PAGE}/preview", form(0, "Top", quay), page=PAGE)
    wrong = editor.post(f"{PAGE}/preview", form(0, "", quay), page=PAGE)

    assert order_of(answer.text)[:2] == ["Top", "A new quay"]
    assert wrong.status_code == 422
    assert house.all(select(IssueOrder.version)) == []


def test_all_sections_can_be_removed(house, editor):
    quay, _ = furnish(house, editor)
    editor.post(PAGE, form(0, "Top", quay))

    editor.post(PAGE, form(1, "Top", quay) | {"action": "automatic"})

    assert order_of(editor.get(f"{PAGE}/body").text) == [
        "Harbours",
        "A new quay",
        "Ferries",
        "A ferry strike",
    ]
    assert house.all(select(IssueOrder.version)) == [2]


def test_what_cannot_be_used_is_named_and_what_was_typed_stays(house, editor):
    quay, strike = furnish(house, editor)

    untitled = editor.post(PAGE, form(0, "", quay, strike))
    long = editor.post(PAGE, form(0, "y" * 10_000, quay))
    forged = editor.post(PAGE, form(0, "Top", quay, "abcdefghijkl"))

    assert (untitled.status_code, long.status_code, forged.status_code) == (422, 422, 422)
    assert "Give this section a title" in untitled.text
    assert re.search(rf'id="section-{strike}".*?value="1" selected', untitled.text, re.DOTALL)
    assert "This one has 10,000" in long.text
    assert "There is no release abcdefghijkl" in forged.text
    assert house.all(select(IssueOrder.version)) == []


def test_of_two_editors_the_second_sees_both_orders_and_decides(house, editor):
    quay, strike = furnish(house, editor)
    editor.post(PAGE, form(0, "Mine", quay))

    late = editor.post(PAGE, form(0, "<i>Theirs</i>", strike))

    assert late.status_code == 409
    assert "editor@example.org changed this order meanwhile" in late.text
    assert "Mine: A new quay" in late.text
    assert 'value="&lt;i&gt;Theirs&lt;/i&gt;"' in late.text
    assert order_of(editor.get(f"{PAGE}/body").text)[0] == "Mine"
    assert 'name="version" value="1"' in late.text
    assert editor.post(PAGE, form(1, "Theirs", strike)).status_code == 303
    assert order_of(editor.get(f"{PAGE}/body").text)[0] == "Theirs"


def test_after_preparing_the_page_shows_the_order_and_refuses_a_change(house, editor):
    quay, _ = furnish(house, editor)
    editor.post(PAGE, form(0, "Top", quay))
    house.clock.pass_(hours=21)
    with house.app.app_context():
        parts = house.app.extensions["newsletter"]
        run_schedules(parts)
        prepare_issues(parts, lambda: False)
    (issue,) = house.all(select(Issue.public_id))

    # Signed in again, because that was yesterday.
    browser = house.signed_in()
    page = browser.get(PAGE).text
    token = browser.hidden("/admin/preview", "csrf_token")
    browser.client.post(PAGE, data={"csrf_token": token, **form(1, "Other", quay)})

    assert "are prepared already, so its order stays as it is" in page
    assert "Save the order" not in page
    assert house.all(select(IssueOrder.version)) == [1]
    assert "by hand" in browser.get(f"/admin/issues/{issue}").text


def test_the_second_person_approves_what_the_page_showed(house, editor):
    furnish(house, editor)
    with house.make_session() as session:
        create_account(
            session, "bob@example.org", hash_password("three quiet harbours"), "test", house.clock()
        ).must_change = False
        issue = Issue(
            newsletter_id=1, title="No. 1", number=1, frequencies=["daily"], state=IssueState.HELD,
            to_sequence=2, created_by="editor@example.org", created_at=house.clock(),
        )  # fmt: skip
        session.add(issue)
        session.commit()
        public_id = issue.public_id
    second = house.signed_in("bob@example.org")
    page = f"/admin/issues/{public_id}"
    seen = second.hidden(page, "order_version")
    order = f"/admin/newsletters/news/order/{public_id}"
    assert editor.post(order, form(0, "Top")).status_code == 303

    refused = second.post(page, {"action": "approve", "order_version": seen})
    second.post(page, {"action": "approve", "order_version": second.hidden(page, "order_version")})

    assert refused.status_code == 409
    assert house.all(select(Issue.approved_by)) == ["bob@example.org"]
    assert "so its order stays as it is" in editor.get(order).text


def test_titles_can_be_given_in_each_language_of_the_newsletter(house, editor):
    quay, _ = furnish(house, editor)
    with house.make_session() as session:
        given = {"languages": "en, de"}
        edit_newsletter(session, house.settings, given, actor="test", now=house.clock())
        session.commit()

    editor.post(PAGE, form(0, "Top", quay) | {"title-1-de": "Oben", "title-1-xx": "Nowhere"})

    assert 'value="Oben" lang="de"' in editor.get(PAGE).text


def test_pages_of_no_issue_are_not_there(house, editor):
    furnish(house, editor)

    for target in ("2025-10-25", "yesterday", "abcdefghijkl", "9999-99-99"):
        assert editor.get(f"/admin/newsletters/news/order/{target}").status_code == 404
    assert editor.get("/admin/newsletters/news/order/by-hand").status_code == 200
    assert (
        "No release waits for an issue as it happens"
        in editor.get("/admin/newsletters/news/order/as-it-happens").text
    )
