"""The signed head of the consent ledger: it reveals changes by a person who controls the database."""

from __future__ import annotations

import io
import stat

import pytest
from house import House
from sqlalchemy import text

from newsletter.errors import InputError
from newsletter.models import ConsentEntry, Frequency, Subscriber
from newsletter.subscribers.consent.chain import link_of
from newsletter.subscribers.consent.head import FILE_NAME, Stopped, renew_head, verify_all, write_head
from newsletter.subscribers.privacy.erase import erase, stop_first
from newsletter.tokens import Tokens

ANN, BO, CY = "ann@example.org", "bo@example.org", "cy@example.org"
TRIGGERS = {
    "sqlite": ("DROP TRIGGER consent_entry_keeps_words", "DROP TRIGGER consent_entry_keeps_rows"),
    "postgresql": (
        "DROP TRIGGER consent_entry_keeps_words ON consent_entry",
        "DROP TRIGGER consent_entry_keeps_rows ON consent_entry",
    ),
}


@pytest.fixture
def three(everywhere):
    everywhere.house.topic("energy")
    for address in (ANN, BO, CY):
        everywhere.join(address, {"energy": Frequency.DAILY})
    return everywhere


def make_head(house: House) -> bytes:
    out = io.BytesIO()
    assert write_head(house.runtime.reading, house.runtime.tokens, out, house.clock()).fault_count == 0
    return out.getvalue()


def check(house: House, head: bytes | None):
    return verify_all(house.runtime.reading, house.runtime.tokens, io.BytesIO(head) if head else None)


def faults(house: House, head: bytes | None) -> list[tuple[str, str]]:
    return [(each.public_id, each.what) for each in check(house, head).faults]


def attack(house: House, *statements: str) -> None:
    """Change the ledger as a person with the database can: drop the triggers, then run `statements`."""
    with house.runtime.engine.begin() as connection:
        for statement in (*TRIGGERS[connection.dialect.name], *statements):
            connection.execute(text(statement))


def compute_again(house: House, person: Subscriber) -> None:
    """Compute a new chain, as a person with the database and this program can."""
    entries, previous = house.all(ConsentEntry), ""
    with house.runtime.engine.begin() as connection:
        for entry in entries:
            if entry.subscriber_id == person.id:
                previous = link_of(entry).expected_digest(previous, person.public_id)
                connection.execute(
                    text("UPDATE consent_entry SET digest = :digest WHERE id = :id"),
                    {"digest": previous, "id": entry.id},
                )


def test_an_untouched_ledger_agrees_with_its_head_also_after_it_grew(three):
    head = make_head(three.house)
    three.leave(BO)
    three.join("dan@example.org", {"energy": Frequency.DAILY})

    report = check(three.house, head)

    assert (report.fault_count, report.people, report.newer) == (0, 4, 1)
    assert report.head_made_at == "2026-03-10T12:00:00.000000Z"


def test_the_chain_of_somebody_erased_after_the_head_was_made_agrees_with_it(three):
    head = make_head(three.house)
    runtime, person = three.house.runtime, three.person(BO)
    with runtime.session() as session:
        stop_first(session, runtime.tokens, person.public_id, three.house.clock())
        session.commit()
        erase(session, runtime.tokens, person.public_id, "page", three.house.clock())
        session.commit()

    report = check(three.house, head)

    assert (report.fault_count, report.partly) == (0, 0)


def test_only_the_head_reveals_a_recomputed_chain(three):
    head, person = make_head(three.house), three.person(BO)
    attack(three.house, f"UPDATE consent_entry SET how = 'import' WHERE subscriber_id = {person.id}")
    compute_again(three.house, person)

    assert faults(three.house, None) == []
    assert faults(three.house, head) == [
        (person.public_id, "Entry 2 is not the same as when the head was made.")
    ]


def test_missing_newest_entries_are_found(three):
    head, person = make_head(three.house), three.person(BO)
    attack(three.house, f"DELETE FROM consent_entry WHERE subscriber_id = {person.id} AND act = 'confirmed'")

    assert faults(three.house, None) == []
    assert faults(three.house, head) == [(person.public_id, "The newest entries are missing: 1 of 2.")]


@pytest.mark.parametrize("address", [ANN, BO, CY])
def test_a_missing_person_is_found(three, address):
    head, person = make_head(three.house), three.person(address)
    attack(
        three.house,
        f"DELETE FROM consent_entry WHERE subscriber_id = {person.id}",
        f"DELETE FROM subscription WHERE subscriber_id = {person.id}",
        f"DELETE FROM delivery WHERE subscriber_id = {person.id}",
        f"DELETE FROM subscriber WHERE id = {person.id}",
    )

    assert faults(three.house, None) == []
    assert faults(three.house, head) == [(person.public_id, "The person is missing.")]


def test_a_changed_entry_is_found_without_a_head(three):
    person = three.person(BO)
    attack(
        three.house,
        f"UPDATE consent_entry SET how = 'import' WHERE subscriber_id = {person.id} AND act = 'confirmed'",
    )

    assert faults(three.house, None) == [
        (person.public_id, "Entry 2 was changed, or the entry before it was.")
    ]


def test_a_person_marked_as_erased_without_a_ledger_entry_is_found(three):
    person = three.person(BO)
    attack(three.house, f"UPDATE subscriber SET erased_at = created_at WHERE id = {person.id}")

    assert faults(three.house, None) == [
        (person.public_id, "The person is marked as erased, but the ledger has no entry about it.")
    ]


def refused(house: House, head: bytes) -> bool:
    try:
        verify_all(house.runtime.reading, house.runtime.tokens, io.BytesIO(head))
    except InputError:
        return True
    return False


def test_a_head_of_another_key_or_with_any_byte_changed_is_refused(three):
    head = make_head(three.house)
    lines = head.splitlines(keepends=True)
    other = Tokens(["another-key-that-is-long-enough-to-be-one"])

    with pytest.raises(InputError, match="another key"):
        verify_all(three.house.runtime.reading, other, io.BytesIO(head))
    for changed in (
        b"",
        b"[]\n",
        b"[" * 100_000,
        lines[0],
        b"".join(lines[:-1]),
        b"".join([lines[0], *lines[2:]]),
        b"".join([lines[0], lines[2], lines[1], *lines[3:]]),
        head + lines[1],
        head + head,
        head.replace(b",2,0,", b",1,0,", 1),
        head.replace(b"2026-03-10", b"2026-03-11"),
        head.replace(b'"people":3', b'"people":4'),
        head.replace(b'"signature":"', b'"signature":"A'),
        b"".join([*lines[:-1], b'{"signature":1}\n']),
    ):
        assert changed != head
        assert refused(three.house, changed), changed[:200]


def test_a_head_that_cannot_be_used_says_what_is_wrong(three):
    head = make_head(three.house)
    first, *people, last = head.splitlines(keepends=True)
    rest = b"".join([*people, last])

    def said(changed: bytes) -> str:
        with pytest.raises(InputError) as fault:
            verify_all(three.house.runtime.reading, three.house.runtime.tokens, io.BytesIO(changed))
        return str(fault.value)

    assert "it is empty" in said(b"")
    assert "its line 1 is not JSON" in said(b"Dear Ann,\n")
    assert "its first line is not a JSON object" in said(b"[]\n")
    assert "its first line has no “version”" in said(first.replace(b"version", b"v") + rest)
    assert "its “kind” is not “newsletter consent head”" in said(first.replace(b"head", b"foot") + rest)
    assert "heads of version 1" in said(first.replace(b":1}", b":2}") + rest)
    assert "its line 3 is not JSON" in said(b"".join([first, people[0], b"x\n"]))
    assert "Line 2 of the head is not a person's" in said(first + b"[1]\n" + rest)
    assert "Line 3 of the head is in the wrong place" in said(first + people[1] + people[0] + last)
    assert "has no “signature”" in said(b"".join([first, *people, b"{}\n"]))
    assert "The last line of the head has no “people”" in said(head.replace(b'"people"', b'"persons"'))
    assert "its last line is missing" in said(b"".join([first, *people]))
    assert "lines after its last one" in said(head + b"\n")
    assert "its lines do not fit its last line" in said(b"".join([first, *people[1:], last]))


def test_a_head_of_another_database_with_the_same_key_is_called_so(three):
    head = make_head(three.house)
    with three.house.runtime.engine.begin() as connection:
        assert not check(three.house, head).is_of_other_database
        connection.execute(text("UPDATE subscriber SET public_id = 'other-' || id"))

    report = check(three.house, head)

    assert report.fault_count >= 3
    assert report.is_of_other_database


def test_a_new_head_replaces_the_old_one_unless_there_is_a_fault(three, tmp_path):
    house, path = three.house, tmp_path / FILE_NAME

    def renew(stopping=lambda: False):
        return renew_head(house.runtime.reading, house.runtime.tokens, path, house.clock(), stopping)

    renew()
    first = path.read_bytes()
    three.leave(BO)
    house.clock.pass_(days=1)
    assert renew().fault_count == 0
    second = path.read_bytes()
    attack(house, "DELETE FROM consent_entry WHERE act = 'left'")
    house.clock.pass_(days=1)
    assert renew().fault_count == 1
    with pytest.raises(Stopped):
        renew(stopping=lambda: True)

    assert first != second == path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(tmp_path.glob(f".{FILE_NAME}*"))
