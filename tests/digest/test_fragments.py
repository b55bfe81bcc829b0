"""The fragments of an issue are those of the releases in it, in each language that is needed."""

from __future__ import annotations

from house import House

from newsletter.digest.fragments import names_in, rendered_names


def test_an_issue_has_the_fragments_of_its_releases(house: House):
    house.add_subscriber(house.topic("energy"))
    house.release("An energy cable")
    issue = house.open()

    with house.runtime.reading() as session:
        assert rendered_names(session, issue) == {"en": {"1"}}
        assert names_in(session, issue) == {"1"}
