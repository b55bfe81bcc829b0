"""Fingerprints follow every change of a release, and find what may be its duplicates."""

from __future__ import annotations

from datetime import timedelta

from house import House, correct_release
from releases.duplicates.samples import TEXT, arrive, press
from sqlalchemy import delete, func, select

from newsletter.models import Release, ReleaseBand
from newsletter.releases.duplicates.find import MOST_CANDIDATES, find_candidates
from newsletter.service.database.fingerprints import fill_fingerprints

SHORT = "It opens on Monday."


def candidates(house: House, release: int) -> list[int]:
    with house.runtime.reading() as session:
        day = session.get_one(Release, release).published_on
        return list(find_candidates(session, release, day))


def test_a_copy_is_found_and_releases_of_other_days_are_not(either_house: House):
    day = either_house.clock().date()
    first = arrive(either_house, press())
    copy = arrive(either_house, press(f"HALMSTRAND – {TEXT}", published=day - timedelta(days=3)))
    arrive(either_house, press(f"Vik – {TEXT}", published=day - timedelta(days=9)))

    assert candidates(either_house, first) == [copy]


def test_a_correction_changes_the_fingerprint(house: House):
    first = arrive(house, press())
    second = house.release("Ferry")
    assert candidates(house, second) == []

    correct_release(house, second, "Ferry", body_text=f"HALMSTRAND – {TEXT}")

    assert candidates(house, second) == [first]


def test_at_most_a_few_candidates_are_compared(house: House):
    made = [arrive(house, press(f"{SHORT} Number {at}.", title="Quay")) for at in range(MOST_CANDIDATES + 3)]

    assert len(candidates(house, made[-1])) == MOST_CANDIDATES


def test_missing_fingerprints_are_stored_later(either_house: House):
    first, second = arrive(either_house, press()), arrive(either_house, press(f"HALMSTRAND – {TEXT}"))
    with either_house.runtime.session() as session:
        before = session.scalar(select(func.count()).select_from(ReleaseBand))
        session.execute(delete(ReleaseBand).where(ReleaseBand.release_id == first))
        session.commit()
    assert candidates(either_house, second) == []

    assert fill_fingerprints(either_house.runtime.engine) == 1

    assert candidates(either_house, second) == [first]
    assert fill_fingerprints(either_house.runtime.engine) == 0
    with either_house.runtime.reading() as session:
        assert session.scalar(select(func.count()).select_from(ReleaseBand)) == before
