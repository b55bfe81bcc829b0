"""Newsletters are found by their slug. With one newsletter, no slug is needed."""

from __future__ import annotations

import pytest
from house import House

from newsletter.errors import InputError, NotFound
from newsletter.newsletters.add import add_newsletter
from newsletter.newsletters.edit import edit_newsletter
from newsletter.newsletters.queries import choose_newsletter, find_newsletter, list_newsletters


def add(house: House, slug: str) -> None:
    with house.runtime.session() as session:
        fields = {"name": slug.title(), "from_address": f"{slug}@example.org"}
        add_newsletter(
            session, house.runtime.settings, slug=slug, fields=fields, actor="ann", now=house.clock()
        )
        session.commit()


def test_newsletters_are_listed_by_position(house):
    add(house, "harbour")
    add(house, "port")

    with house.runtime.session() as session:
        edit_newsletter(session, house.runtime.settings, {"position": "9"}, actor="ann", now=house.clock())

        assert [each.slug for each in list_newsletters(session)] == ["harbour", "port", "news"]


def test_an_unknown_slug_is_answered_with_the_slugs_there_are(house):
    add(house, "harbour")

    with house.runtime.reading() as session:
        assert find_newsletter(session, "harbour").slug == "harbour"
        with pytest.raises(NotFound, match=r"There is no newsletter port\. There are: news, harbour\."):
            find_newsletter(session, "port")


def test_a_slug_is_needed_only_if_there_are_several(house):
    with house.runtime.reading() as session:
        assert choose_newsletter(session, None).slug == "news"
    add(house, "harbour")

    with house.runtime.reading() as session:
        assert choose_newsletter(session, "harbour").slug == "harbour"
        with pytest.raises(InputError, match="by --newsletter: news, harbour"):
            choose_newsletter(session, "")
