"""The version of what visitors see grows with each change of a release, a topic or a newsletter."""

from __future__ import annotations

import pytest
from house import House, edit_release
from sqlalchemy import update

from newsletter.models import Newsletter, Release, Topic, public_version
from newsletter.releases.editing.edit import ReleaseAction


def version(house: House) -> int:
    with house.runtime.reading() as session:
        return public_version(session).value


def test_a_change_of_what_visitors_see_adds_one(either_house: House):
    house = either_house
    versions = [version(house)]
    house.topic("sea")
    versions.append(version(house))
    release_id = house.release("Sea and shore")
    versions.append(version(house))
    edit_release(house, release_id, ReleaseAction.EXCLUDE)
    versions.append(version(house))
    with house.runtime.session() as session:
        session.query(Newsletter).first().slug = "waves"
        session.commit()
    versions.append(version(house))

    assert versions == [versions[0] + at for at in range(5)]


@pytest.mark.parametrize("model", [Release, Topic])
def test_a_statement_that_changes_rows_counts_too(either_house: House, model):
    house = either_house
    house.topic("sea")
    house.release("Sea and shore")
    before = version(house)
    with house.runtime.session() as session:
        session.execute(update(model).values(id=model.id))
        session.commit()

    assert version(house) == before + 1


def test_other_changes_and_rolled_back_ones_count_nothing(either_house: House):
    house = either_house
    topic = house.topic("sea")
    before = version(house)
    house.add_subscriber(topic)
    with house.runtime.session() as session:
        session.get_one(Topic, topic).name = "Waves"
        session.flush()
        session.rollback()
        session.commit()

    assert version(house) == before
