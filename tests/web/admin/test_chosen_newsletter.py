from __future__ import annotations

import pytest
from sqlalchemy import select

from newsletter.models import Issue, IssueRelease, Release


@pytest.fixture
def second(house) -> int:
    """A second newsletter whose topic has the release that a topic of the first has too."""
    house.topic("harbours")
    newsletter = house.newsletter("sea", "Sea News")
    house.topic("ships", newsletter=newsletter)
    house.release("A new quay", topic="harbours")
    house.release("A new ship", topic="ships")
    house.add_subscriber("one@example.org", topic="harbours")
    house.add_subscriber("two@example.org", topic="ships")
    house.add_subscriber("three@example.org", topic="ships")
    return newsletter


def _send(editor, newsletter: str, number: int):
    page = f"/admin/preview?newsletter={newsletter}&send=daily"
    form = {name: editor.hidden(page, name) for name in ("csrf_token", "key")}
    return editor.client.post(f"/admin/preview/send?newsletter={newsletter}", data={**form, "number": number})


def test_with_one_newsletter_no_page_lets_choose_one(house, editor):
    house.topic()
    house.release()
    house.add_subscriber()
    sent = _send(editor, "news", 1)

    pages = [editor.get(path).text for path in ("/admin/preview", "/admin/issues", sent.location)]

    assert all('name="newsletter"' not in page and "newsletter=" not in page for page in pages)
    assert all("<dt>Newsletter</dt>" not in page and "All newsletters" not in page for page in pages)


def test_the_preview_shows_topics_and_releases_of_the_chosen_newsletter(second, editor):
    first = editor.get("/admin/preview?view=text&frequency=daily").text
    other = editor.get("/admin/preview?view=text&frequency=daily&newsletter=sea").text

    assert "A new quay" in first
    assert "A new ship" not in first
    assert 'id="topic-ships"' not in first
    assert "A new ship" in other
    assert "A new quay" not in other
    assert 'id="topic-harbours"' not in other


def test_an_issue_is_sent_to_the_subscribers_of_the_newsletter_that_was_counted(house, second, editor):
    refused = _send(editor, "sea", 3)
    sent = _send(editor, "sea", 2)

    assert refused.status_code == 422
    assert sent.status_code == 303
    assert house.all(select(Issue.newsletter_id)) == [second]
    assert "<dt>Newsletter</dt><dd>Sea News</dd>" in editor.get(sent.location).text


def test_a_test_is_an_issue_of_the_chosen_newsletter(house, second, editor):
    page = "/admin/preview?newsletter=sea&frequency=daily"

    editor.post("/admin/preview/test?newsletter=sea&frequency=daily", {"email": "me@example.org"}, page=page)

    assert house.all(select(Issue.newsletter_id)) == [second]


def test_the_list_of_issues_names_newsletters_and_shows_those_of_one(second, editor):
    _send(editor, "news", 1)
    _send(editor, "sea", 2)

    every, one = editor.get("/admin/issues").text, editor.get("/admin/issues?newsletter=sea").text

    assert every.count('<td role="cell" data-label="Newsletter">') == 2
    assert one.count('<td role="cell" data-label="Newsletter"><span>Sea News</span>') == 1
    assert one.count('<td role="cell" data-label="Newsletter">') == 1


def test_a_newsletter_that_does_not_exist_is_the_first(second, editor):
    assert "A new quay" in editor.get("/admin/preview?view=text&frequency=daily&newsletter=none").text


def test_the_overview_says_in_which_newsletter_an_issue_is_overdue(house, second):
    house.clock.pass_(days=3)

    page = house.signed_in().get("/admin/").text

    assert "chose “daily” in Sea News." in page
    assert "newsletter digest send --newsletter sea --frequency daily --yes" in page
    assert "/admin/preview?newsletter=sea" in page


def test_the_page_of_a_release_says_which_newsletters_brought_it(house, second, editor):
    public_id = house.release("A new bridge", topic="ships")
    _send(editor, "sea", 2)
    with house.make_session() as session:
        issue_id = session.scalars(select(Issue.id)).one()
        release_id = session.scalars(select(Release.id).where(Release.public_id == public_id)).one()
        session.add(IssueRelease(issue_id=issue_id, release_id=release_id))
        session.commit()

    page = editor.get(f"/admin/releases/{public_id}").text

    assert '<span class="aside">Sea News</span>' in page
