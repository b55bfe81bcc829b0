"""Importing files into the suppression list: counts, dry runs, nothing stored, and undo."""

from __future__ import annotations

import io

import pytest
from house import House

from newsletter.errors import NotFound, StateConflict
from newsletter.models import (
    AuditEntry,
    BounceStep,
    StepKind,
    Subscriber,
    Suppression,
    SuppressionImport,
    SuppressionReason,
)
from newsletter.subscribers.suppressions.import_file import (
    AT_ONCE,
    Counted,
    import_addresses,
    list_imports,
    try_import,
    undo_import,
)
from newsletter.suppression import add, add_by_hand, is_suppressed, suppression_hash

FILE = b"email\nann@example.org\nBOB@example.org\nbob@example.org\nnobody\nold@example.org\n"


def count(house: House, content: bytes) -> Counted:
    with house.runtime.reading() as session:
        return list(try_import(session, house.runtime.tokens, io.BytesIO(content)))[-1]


def imported(house: House, content: bytes, parts: int | None = None) -> Counted:
    """Import, and die after `parts` parts."""
    seen = [Counted()]
    with house.runtime.session() as session:
        steps = import_addresses(session, house.runtime.tokens, io.BytesIO(content), "owner", house.clock())
        for number, counted in enumerate(steps):
            session.commit()
            seen.append(counted)
            if number == parts:
                break
    return seen[-1]


def undo(house: House, import_id: int) -> int:
    with house.runtime.session() as session:
        counts = [0]
        for count in undo_import(session, import_id, "owner", house.clock(), 5):
            session.commit()
            counts.append(count)
        return counts[-1]


@pytest.fixture
def known(either_house: House) -> House:
    """Ann is a subscriber, and one address is suppressed."""
    house = either_house
    house.add_subscriber(house.topic("energy"), name="ann")
    with house.runtime.session() as session:
        add_by_hand(session, house.runtime.tokens, "old@example.org", "owner", house.clock())
        session.commit()
    return house


def test_a_dry_run_counts_what_the_import_does_and_changes_nothing(known: House):
    before = len(known.all(Suppression))

    tried = count(known, FILE)

    assert (tried.new, tried.known, tried.unreadable, tried.lines) == (2, 2, 1, (5,))
    assert len(known.all(Suppression)) == before and known.all(SuppressionImport) == []
    done = imported(known, FILE)
    assert (done.new, done.known, done.unreadable, done.lines) == (2, 2, 1, (5,))
    again = count(known, FILE)
    assert (again.new, again.known, again.unreadable) == (0, 4, 1)


def test_imported_addresses_are_suppressed_by_hash_and_name_their_subscriber(known: House):
    tokens = known.runtime.tokens
    imported(known, FILE)

    (ann,) = known.all(Subscriber)
    (step,) = known.all(BounceStep)
    assert (step.kind, step.subscriber_id, step.actor) == (StepKind.SUPPRESSED, ann.id, "owner")
    rows = {each.address_hash: each for each in known.all(Suppression)}
    assert rows[suppression_hash(tokens, "ann@example.org")].subscriber_id == ann.id
    assert rows[suppression_hash(tokens, "bob@example.org")].subscriber_id is None
    assert {each.reason for each in rows.values()} == {SuppressionReason.MANUAL}
    with known.runtime.session() as session:
        assert is_suppressed(session, tokens, "bob@example.org")
        (row,) = list_imports(session)
        assert (row.new, row.known, row.unreadable, row.actor) == (2, 2, 1, "owner")
    for table in (Suppression, SuppressionImport, AuditEntry):
        assert "bob@" not in "".join(str(each.__dict__) for each in known.all(table)).lower()


def test_undoing_an_import_lifts_its_own_addresses_but_no_complaint_and_no_erased_person(known: House):
    tokens = known.runtime.tokens
    done = imported(known, FILE + b"gone@example.org\n")
    with known.runtime.session() as session:
        mark = suppression_hash(tokens, "gone@example.org")
        add(session, mark, SuppressionReason.ERASED, known.clock())
        session.commit()

    assert undo(known, done.import_id) == 2

    with known.runtime.session() as session:
        left = [
            name
            for name in ("ann", "bob", "old", "gone")
            if is_suppressed(session, tokens, f"{name}@example.org")
        ]
    assert left == ["old", "gone"]
    assert known.all(AuditEntry)[-1].action == "addresses.unsuppress"
    with pytest.raises(StateConflict):
        undo(known, done.import_id)
    with pytest.raises(NotFound):
        undo(known, 999)


def test_an_import_that_was_killed_can_be_repeated_and_both_can_be_undone(known: House):
    content = b"".join(b"p%d@example.org\n" % number for number in range(2 * AT_ONCE + 10))

    first = imported(known, content, parts=1)
    second = imported(known, content)

    assert (first.new, second.new, second.known) == (AT_ONCE, AT_ONCE + 10, AT_ONCE)
    assert undo(known, first.import_id) + undo(known, second.import_id) == 2 * AT_ONCE + 10
    assert len(known.all(Suppression)) == 1


def test_a_person_whose_import_is_undone_gets_the_newest_releases(house: House):
    topic = house.topic("energy")
    ann, _bob = house.add_subscriber(topic, name="ann"), house.add_subscriber(topic, name="bob")
    done = imported(house, b"ann@example.org\n")
    releases = [house.release(f"Energy {number}") for number in range(7)]
    house.send()
    assert house.releases_sent(ann) == []

    undo(house, done.import_id)

    house.send()
    assert sorted(house.releases_sent(ann)) == releases[2:]
