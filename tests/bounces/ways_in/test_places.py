"""What is remembered about a mailbox, on both databases."""

from __future__ import annotations

from house import House

from newsletter.bounces.ways_in.places import (
    MOST_LATER,
    find_place,
    forget,
    is_full,
    move_mark,
    remember,
    remembered,
)


def test_the_mark_only_moves_forward(either_house: House):
    with either_house.runtime.session() as session:
        place = find_place(session, "a", 1)
        move_mark(session, place, 9)
        again = move_mark(session, place._replace(mark=9), 5)

        assert again.mark == 9
        assert find_place(session, "a", 1).mark == 9
        assert find_place(session, "b", 1).mark == 0


def test_another_validity_begins_anew(either_house: House):
    with either_house.runtime.session() as session:
        place = find_place(session, "a", 1)
        move_mark(session, place, 9)
        remember(session, place, "3", later=True)

        place = find_place(session, "a", 2)

        assert place.mark == 0
        assert remembered(session, place, later=True) == set()


def test_a_message_is_remembered_until_it_is_forgotten(either_house: House):
    with either_house.runtime.session() as session:
        place, other = find_place(session, "a", 0), find_place(session, "b", 0)
        for uid in ("x", "y"):
            remember(session, place, uid, later=True)
        remember(session, place, "y", later=False)
        remember(session, other, "z", later=False)

        assert remembered(session, place, later=True) == {"x"}
        assert remembered(session, place, later=False) == {"y"}
        forget(session, place, {"y", "z"})
        assert remembered(session, place, later=False) == set()
        assert remembered(session, other, later=False) == {"z"}


def test_so_many_messages_can_wait(house: House):
    with house.runtime.session() as session:
        place = find_place(session, "a", 0)
        for number in range(MOST_LATER - 1):
            remember(session, place, str(number), later=True)
        almost = is_full(session, place)
        remember(session, place, "last", later=True)

        assert (almost, is_full(session, place)) == (False, True)
