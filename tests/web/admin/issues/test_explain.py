"""The page that explains a subscriber's next digest."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from newsletter.models import Subscriber


@pytest.fixture
def page(house) -> str:
    house.topic()
    house.release()
    house.add_subscriber()
    (person,) = house.all(select(Subscriber))
    return f"/admin/readers/{person.public_id}/next"


def test_it_says_what_comes_and_why(editor, page):
    text = editor.get(page).text

    assert "The schedule is off. With an issue that you send at" in text
    assert "the subscriber gets 1 release." in text
    assert "It is new under" in text


def test_a_time_can_be_chosen_and_a_wrong_one_is_refused(editor, page):
    assert "2025-12-01 08:00" in editor.get(f"{page}?at=2025-12-01T08:00").text

    for wrong in ("soon", "9999-12-31T23:59", "0001-01-01T00:00+01:00", "2099-01-01"):
        answer = editor.get(page, query_string={"at": wrong})
        assert answer.status_code == 422, wrong
        assert "the subscriber gets 1 release." in answer.text


def test_the_page_of_a_subscriber_links_to_it(editor, page):
    assert page in editor.get(page.removesuffix("/next")).text
