"""Tests of what editors and visitors see of duplicates."""

from __future__ import annotations

import pytest
from house import House, public_id
from releases.duplicates.samples import TEXT, add_source, arrive, press

from newsletter.errors import InputError
from newsletter.models import PairState, ReleasePair
from newsletter.releases.duplicates.queries import (
    compare_pair,
    count_suggested,
    linked_releases,
    merged_into,
    others_of,
    places_of,
)


def test_a_release_has_the_places_of_those_that_were_merged_into_it(either_house: House):
    first = arrive(either_house, press(), source=add_source(either_house, "one"))
    second = arrive(either_house, press(f"HALMSTRAND – {TEXT}"), source=add_source(either_house, "two"))

    with either_house.runtime.reading() as session:
        places = places_of(session, first)
        stays = merged_into(session, second)
        (other,) = others_of(session, first)

        assert [each.source.name for each in places] == ["One", "Two"]
        assert stays is not None
        assert (stays.id, merged_into(session, first)) == (first, None)
        assert (other.release.id, other.state, other.is_merged) == (second, PairState.MERGED, True)
        assert others_of(session, second)[0].is_merged is False
        assert len(places_of(session, second)) == 1


def test_two_releases_are_compared_in_any_order(house: House):
    first, second = arrive(house, press()), arrive(house, press(TEXT.replace("140", "150")))

    with house.runtime.reading() as session:
        found = compare_pair(session, public_id(house, second), public_id(house, first))

        assert (found.earlier.id, found.later.id, found.merged) == (first, second, None)
        assert (found.state, found.differs) == (PairState.SUGGESTED, ("figures",))
        assert count_suggested(session) == 1
        with pytest.raises(InputError):
            compare_pair(session, public_id(house, first), public_id(house, first))


def test_only_public_releases_are_linked(house: House):
    first, second = house.release("Quay"), house.release("Ferry")
    with house.runtime.session() as session:
        session.add(
            ReleasePair(earlier_id=first, later_id=second, state=PairState.LINKED, found_at=house.clock())
        )
        session.commit()

    with house.runtime.reading() as session:
        linked = [
            [each.id for each in linked_releases(session, one, house.clock())] for one in (first, second)
        ]
    assert linked == [[second], [first]]
