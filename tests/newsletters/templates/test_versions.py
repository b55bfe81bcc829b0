"""Versions of templates. web/admin/newsletters/test_templates.py saves and compares them in a browser."""

from __future__ import annotations

import pytest
from house import House

from newsletter.errors import NotFound
from newsletter.messages.templates.parts import PARTS
from newsletter.models import FIRST_NEWSLETTER
from newsletter.newsletters.templates.versions import (
    find_version,
    list_versions,
    read_sources,
    save_templates,
    sources_of,
)


def test_a_form_with_the_usual_parts_changes_nothing(house: House):
    with house.runtime.session() as session:
        renderer = house.runtime.renderer.of_newsletter(session, FIRST_NEWSLETTER)
        usual = sources_of(renderer, {})
        browser = {name: source.replace("\n", "\r\n") for name, source in usual.items()}

        assert read_sources(renderer, browser) == {}
        assert read_sources(renderer, dict.fromkeys(PARTS, " \r\n")) == {}
        assert read_sources(renderer, {**browser, "styles": "p { margin: 0 }\r\n\r\n"}) == {
            "styles": "p { margin: 0 }\n"
        }


def test_each_newsletter_has_templates_of_its_own(either_house: House):
    house = either_house
    other = house.newsletter("harbour")
    with house.runtime.session() as session:
        renderer = house.runtime.renderer.of_newsletter(session, other)
        styles = sources_of(renderer, {})["styles"] + "p { margin: 1px }\n"

        saved = save_templates(
            session, renderer, {"styles": styles}, version=0, actor="ed", now=house.clock()
        )

        assert saved
        assert find_version(session, other, 1) == {"styles": styles}
        assert not house.runtime.renderer.of_newsletter(session, FIRST_NEWSLETTER).own
        (version,) = list_versions(session, renderer)
        assert [(line.kind, line.text) for line in version.changes["styles"]][-1] == (
            "added",
            "p { margin: 1px }",
        )
        with pytest.raises(NotFound):
            find_version(session, FIRST_NEWSLETTER, 1)
