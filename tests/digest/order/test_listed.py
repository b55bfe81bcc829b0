"""What the editor of an order sees: the releases in its order, then those that are held."""

from __future__ import annotations

from datetime import timedelta

from house import House, edit_release

from newsletter.digest.order.listed import list_releases
from newsletter.digest.order.targets import find_target
from newsletter.models import FIRST_NEWSLETTER, Release, ReleaseState
from newsletter.models.hand_order import HandOrder, HandSection
from newsletter.releases.editing.edit import ReleaseAction


def listed(house: House, order: HandOrder = ()) -> list[tuple[str, tuple[str, ...], bool]]:
    with house.runtime.reading() as session:
        target = find_target(session, FIRST_NEWSLETTER, "by-hand", house.clock())
        found = list_releases(session, target, order)
        return [(each.release.title, each.topics, each.waits) for each in found]


def test_sections_come_first_then_the_automatic_order_then_what_is_held(house: House):
    ferries, energy = house.topic("ferry"), house.topic("energy")
    house.add_subscriber(energy, ferries)
    mast, cable = house.release("An energy mast"), house.release("An energy cable")
    house.release("A ferry strike")
    held = house.release("A held ferry", state=ReleaseState.HELD)
    gone = house.release("An old energy plan")
    edit_release(house, gone, ReleaseAction.EXCLUDE)
    with house.runtime.session() as session:
        session.get_one(Release, mast).pinned = True
        session.get_one(Release, cable).published_at += timedelta(hours=1)
        session.commit()

    assert listed(house) == [
        ("A ferry strike", ("Ferry",), True),
        ("An energy mast", ("Energy",), True),
        ("An energy cable", ("Energy",), True),
        ("A held ferry", ("Ferry",), False),
    ]
    assert [title for title, _, _ in listed(house, (HandSection("Top", (held, gone, cable)),))] == [
        "A held ferry",
        "An old energy plan",
        "An energy cable",
        "A ferry strike",
        "An energy mast",
    ]


def test_without_subscribers_nothing_waits(house: House):
    house.topic("energy")
    house.release("An energy cable")

    assert listed(house) == []
