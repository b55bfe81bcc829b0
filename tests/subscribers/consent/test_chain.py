"""The consent ledger can only be added to: the session and the database refuse changes, digests show them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from house import NOON, House
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from newsletter import audit
from newsletter.errors import InputError, NotFound
from newsletter.models import AuditEntry, ConsentAct, ConsentEntry, Frequency, Subscriber
from newsletter.subscribers.consent.chain import Link, Proof, canonical_json, digest_of, proof_of, utc_text
from newsletter.subscribers.consent.descriptions import ACT_WORDS, detail_in_words
from newsletter.subscribers.consent.record import Publisher, consent_record
from newsletter.subscribers.consent.signature import check_record, public_key_pem, sign_record
from newsletter.subscribers.privacy.empty_address import forget_address
from newsletter.subscribers.privacy.erase import erase
from newsletter.tokens import Tokens

ANN = "ann@example.org"
KEY_URL = "https://news.example.org/.well-known/newsletter-consent-key.pem"
# Signed before the canonical JSON came from a library; record-1.json has the older form of entries.
SIGNED = Path(__file__).parents[2] / "data" / "consent"
PUBLISHER = Publisher("The Release Letter", "https://news.example.org", "Harbour Road 1")


@pytest.fixture
def kept(everywhere) -> House:
    """A ledger with two entries of one person, and one entry in the audit log."""
    everywhere.house.topic("energy")
    everywhere.ask(ANN, {"energy": Frequency.DAILY}, ip_address="192.0.2.77")
    everywhere.resolve()
    everywhere.confirm(everywhere.confirmation(ANN), ip_address="192.0.2.78")
    with everywhere.house.runtime.session() as session:
        audit.record(session, "editor@example.org", "issue.pause", "abc", NOON)
        session.commit()
    return everywhere.house


def run(house: House, statement: str) -> None:
    with house.runtime.engine.begin() as connection:
        connection.execute(text(statement))


def read_table(house: House, table: str) -> list[object]:
    with house.runtime.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY id"))]


FORBIDDEN = [
    "DELETE FROM {table}",
    "DELETE FROM {table} WHERE id = 1",
    "UPDATE {table} SET at = '2020-01-01 00:00:00+00'",
    "UPDATE {table} SET id = id + 100",
    "UPDATE {table} SET detail = '{{\"forged\": 1}}'",
]


CHANGES = (
    "act = 'left'",
    "how = 'import'",
    "wording_version = '2030-01.en'",
    "wording_hash = ''",
    "digest = ''",
    "detail_digest = NULL",
    "detail_digest = ''",
    "subscriber_id = 99",
    "ip_address = '198.51.100.1'",
    "ip_address = NULL, how = 'import'",
    "detail = '{}'",
    "at = '2020-01-01 00:00:00', ip_address = NULL",
)


def refused(house: House, statement: str, table: str) -> bool:
    try:
        run(house, statement)
    except DBAPIError as fault:
        return f"{table} is append-only" in str(fault)
    return False


def test_the_database_refuses_to_change_or_delete_an_entry(kept):
    for table in ("consent_entry", "audit_entry"):
        before = read_table(kept, table)
        for statement in FORBIDDEN:
            assert refused(kept, statement.format(table=table), table), statement
        assert read_table(kept, table) == before


@pytest.mark.parametrize("model", [ConsentEntry, AuditEntry])
def test_a_session_refuses_before_the_database_has_to(kept, model):
    before = read_table(kept, model.__tablename__)

    with kept.runtime.session() as session:
        session.query(model).first().at = NOON + timedelta(days=1)
        with pytest.raises(InvalidRequestError, match="append-only"):
            session.flush()
    with kept.runtime.session() as session:
        session.delete(session.query(model).first())
        with pytest.raises(InvalidRequestError, match="append-only"):
            session.flush()

    assert read_table(kept, model.__tablename__) == before


def test_no_field_of_a_consent_entry_can_be_reworded(kept):
    before = read_table(kept, "consent_entry")

    for change in CHANGES:
        assert refused(kept, f"UPDATE consent_entry SET {change} WHERE id = 1", "consent_entry"), change

    assert read_table(kept, "consent_entry") == before


def test_a_row_cannot_be_replaced_on_sqlite_either(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": Frequency.DAILY})
    before = read_table(people.house, "consent_entry")

    for verb in ("INSERT OR REPLACE INTO", "REPLACE INTO"):
        with pytest.raises(DBAPIError, match="append-only"):
            run(people.house, f"{verb} consent_entry SELECT * FROM consent_entry")
    with pytest.raises(DBAPIError, match="append-only"):
        run(people.house, "UPDATE OR REPLACE consent_entry SET id = 7")

    assert read_table(people.house, "consent_entry") == before


def test_a_table_cannot_be_truncated_on_postgresql(big_house):
    for statement, table in (
        ("TRUNCATE consent_entry", "consent_entry"),
        ("TRUNCATE subscriber CASCADE", "consent_entry"),
        ("TRUNCATE audit_entry", "audit_entry"),
    ):
        assert refused(big_house, statement, table), statement


def test_an_ip_address_can_be_removed_but_never_added(kept):
    run(kept, "UPDATE consent_entry SET ip_address = NULL")

    assert [each.ip_address for each in kept.all(ConsentEntry)] == [None, None]
    with pytest.raises(DBAPIError, match="append-only"):
        run(kept, "UPDATE consent_entry SET ip_address = '192.0.2.77'")


def test_details_can_be_deleted_only_of_an_erased_person(kept):
    run(kept, f"UPDATE subscriber SET erased_at = '{NOON:%Y-%m-%d %H:%M:%S}'")

    run(kept, "UPDATE consent_entry SET detail = '{}'")

    assert [each.detail for each in kept.all(ConsentEntry)] == [{}, {}]
    with pytest.raises(DBAPIError, match="append-only"):
        run(kept, "UPDATE consent_entry SET detail = '{\"topics\": 1}'")


def test_details_cannot_be_deleted_of_a_person_whose_address_was_emptied(kept):
    run(kept, f"UPDATE subscriber SET emptied_at = '{NOON:%Y-%m-%d %H:%M:%S}'")

    assert refused(kept, "UPDATE consent_entry SET detail = '{}'", "consent_entry")


def test_entries_follow_each_other_by_digest(kept):
    asked, confirmed = kept.all(ConsentEntry)
    (person,) = kept.all(Subscriber)

    assert proof_of(person.public_id, [asked, confirmed]) is Proof.WHOLE
    assert proof_of(person.public_id, [confirmed]) is Proof.BROKEN
    assert proof_of(person.public_id, [confirmed, asked]) is Proof.BROKEN
    assert proof_of("somebody-else", [asked, confirmed]) is Proof.BROKEN


def erase_details(entries):
    for entry in entries:
        entry.detail = {}
    return entries


def test_the_chain_of_an_erased_person_still_verifies(kept):
    (person,) = kept.all(Subscriber)

    assert proof_of(person.public_id, erase_details(kept.all(ConsentEntry)), erased=True) is Proof.WHOLE
    assert proof_of(person.public_id, erase_details(kept.all(ConsentEntry))) is Proof.BROKEN
    asked, confirmed = erase_details(kept.all(ConsentEntry))
    asked.act = ConsentAct.LEFT
    assert proof_of(person.public_id, [asked, confirmed], erased=True) is Proof.BROKEN


def make_older(person, entries):
    """Convert entries to the older form, which has no digest of the details."""
    previous = ""
    for entry in entries:
        fields = [
            previous, person, utc_text(entry.at), entry.act.value, entry.how,
            entry.wording_version, entry.wording_hash, entry.detail,
        ]  # fmt: skip
        entry.detail_digest, entry.digest = None, digest_of(fields)
        previous = entry.digest
    return entries


def test_entries_of_the_older_form_still_verify_until_their_details_are_erased(kept):
    (person,) = kept.all(Subscriber)
    older = make_older(person.public_id, kept.all(ConsentEntry))

    assert proof_of(person.public_id, older) is Proof.WHOLE
    assert proof_of(person.public_id, older, erased=True) is Proof.WHOLE
    assert proof_of(person.public_id, erase_details(older), erased=True) is Proof.PARTLY
    assert proof_of(person.public_id, older) is Proof.BROKEN


def test_an_entry_of_the_newer_form_cannot_be_passed_off_as_an_older_one_that_lost_its_details(kept):
    (person,) = kept.all(Subscriber)
    asked, confirmed = erase_details(kept.all(ConsentEntry))
    confirmed.act, confirmed.detail_digest = ConsentAct.LEFT, None

    assert proof_of(person.public_id, [asked, confirmed], erased=True) is Proof.BROKEN


def test_a_change_that_bypassed_the_triggers_is_found(kept):
    (person,) = kept.all(Subscriber)

    for field, value in (
        ("at", NOON - timedelta(days=1)),
        ("act", ConsentAct.LEFT),
        ("how", "import"),
        ("wording_version", "2030-01.en"),
        ("wording_hash", "0" * 64),
        ("detail", {"topics": {"sea": "daily"}}),
        ("digest", ""),
        ("detail_digest", None),
        ("detail_digest", digest_of({})),
    ):
        asked, confirmed = kept.all(ConsentEntry)
        setattr(asked, field, value)
        assert proof_of(person.public_id, [asked, confirmed]) is Proof.BROKEN, field


def test_a_digest_does_not_depend_on_the_ip_address_or_the_order_of_details():
    at = utc_text(NOON)
    for detail_digest in (None, digest_of({"a": 1, "b": "ä"})):
        one = Link(at, "asked", "form", "v", "h", {"a": 1, "b": "ä"}, detail_digest, "")
        two = Link(at, "asked", "form", "v", "h", {"b": "ä", "a": 1}, detail_digest, "")

        assert one.expected_digest("", "ann") == two.expected_digest("", "ann")
    assert canonical_json({"b": "ä", "a": [1, True, None]}) == '{"a":[1,true,null],"b":"ä"}'.encode()


# All that the ledger and signed records have ever held: no fractions, and keys of ASCII.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii")), inner),
    max_leaves=20,
)


@given(VALUES)
def test_canonical_json_has_the_bytes_of_older_versions(value):
    older = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert canonical_json(value) == older.encode()


@pytest.mark.parametrize("name", ["record-1.json", "record-2.json"])
def test_a_record_that_an_older_version_signed_still_verifies(name):
    pem = (SIGNED / "key.pem").read_text(encoding="utf-8")
    whole = (SIGNED / name).read_text(encoding="utf-8")

    assert check_record(whole, pem)["person"]["address"] == "jürgen.ž@example.org"
    with pytest.raises(InputError):
        check_record(whole.replace('"one-click"', '"form"'), pem)


@pytest.mark.parametrize("value", ["NaN", "9007199254740993", '"\\ud800"', "[" * 900 + "]" * 900])
def test_a_record_without_a_canonical_form_is_refused(value):
    pem = (SIGNED / "key.pem").read_text(encoding="utf-8")
    text_of_file = f'{{"record": {{"a": {value}}}, "signature": {{"value": "AAAA", "algorithm": "Ed25519"}}}}'

    with pytest.raises(InputError):
        check_record(text_of_file, pem)


def signed(house: House) -> dict[str, object]:
    (person,) = house.all(Subscriber)
    with house.runtime.session() as session:
        record = consent_record(session, person.public_id, PUBLISHER, house.clock())
    return sign_record(house.runtime.tokens, record, KEY_URL)


def test_a_record_holds_both_steps_and_the_wording_word_for_word(kept):
    record = signed(kept)["record"]

    asked, confirmed = record["entries"]
    assert (asked["act"], asked["how"], asked["ip_address"]) == ("asked", "form", "192.0.2.77")
    assert (confirmed["act"], confirmed["at"]) == ("confirmed", "2026-03-10T12:00:00.000000Z")
    (wording,) = record["wordings"]
    assert wording["version"] == asked["wording"] == confirmed["wording"]
    assert "I can unsubscribe at any time with the link in every email." in wording["text"]
    assert record["entries_whole"] is True


def forget(house: House) -> None:
    with house.runtime.session() as session:
        forget_address(session, house.runtime.tokens, session.query(Subscriber).one(), house.clock())
        session.commit()


def test_the_consent_of_a_person_whose_address_was_emptied_still_verifies(kept):
    forget(kept)

    made = signed(kept)["record"]
    assert (made["person"]["erased_at"], made["person"]["emptied_at"]) == (
        None,
        "2026-03-10T12:00:00.000000Z",
    )
    assert made["entries_whole"] is True
    made["entries"][0]["how"] = "import"
    forged = json.dumps(sign_record(kept.runtime.tokens, made, KEY_URL))
    with pytest.raises(InputError, match="entry 1"):
        check_record(forged, public_key_pem(kept.runtime.tokens))


def test_the_record_of_an_erased_person_verifies_too(kept):
    (person,) = kept.all(Subscriber)
    with kept.runtime.session() as session:
        erase(session, kept.runtime.tokens, person.public_id, "page", NOON)
        session.commit()

    made = signed(kept)["record"]
    assert (made["entries_whole"], [each["detail"] for each in made["entries"]]) == (True, [{}, {}, {}])
    check_record(json.dumps(signed(kept)), public_key_pem(kept.runtime.tokens))
    made["entries"][0]["how"] = "import"
    forged = json.dumps(sign_record(kept.runtime.tokens, made, KEY_URL))
    with pytest.raises(InputError, match="entry 1"):
        check_record(forged, public_key_pem(kept.runtime.tokens))


def test_a_signed_record_verifies_with_the_published_key(kept):
    text_of_file = json.dumps(signed(kept), indent=4)

    record = check_record(text_of_file, public_key_pem(kept.runtime.tokens))

    assert record["person"]["address"] == ANN


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Dear Ann,", "it is not JSON"),
        ("[]", "it has no “record”"),
        ('{"record": {}}', "it has no “signature”"),
        ('{"record": {}, "signature": {}}', "no “value” in base64"),
        ('{"record": {}, "signature": {"value": ""}}', "is not Ed25519"),
    ],
)
def test_a_file_that_is_no_signed_record_is_refused_with_what_is_wrong(kept, text: str, words: str):
    with pytest.raises(InputError, match=words):
        check_record(text, public_key_pem(kept.runtime.tokens))


def test_a_signed_record_is_refused_when_anything_in_it_or_the_key_is_another(kept):
    pem = public_key_pem(kept.runtime.tokens)
    whole = json.dumps(signed(kept))
    other = public_key_pem(Tokens(["another-key-that-is-long-enough-to-be-one"]))

    for changed in (
        whole.replace(ANN, "bo@example.org"),
        whole.replace("192.0.2.77", "192.0.2.79"),
        whole.replace('"daily"', '"weekly"'),
        whole.replace('"Ed25519"', '"none"'),
        "",
        "[]",
        "{}",
        '{"record": {}, "signature": {"value": "AAAA", "algorithm": "Ed25519"}}',
        '{"record": {}, "signature": {"value": "\\u2713", "algorithm": "Ed25519"}}',
        '{"record": 1, "signature": 2}',
        "[" * 100_000,
    ):
        with pytest.raises(InputError):
            check_record(changed, pem)
    with pytest.raises(InputError, match="signed with another key than this one"):
        check_record(whole, other)
    with pytest.raises(InputError, match="not a public key"):
        check_record(whole, "nonsense")


def test_a_valid_signature_over_a_broken_chain_is_refused(kept):
    made = signed(kept)["record"]
    made["entries"].pop(0)
    forged = sign_record(kept.runtime.tokens, made, KEY_URL)

    with pytest.raises(InputError, match="entry 1"):
        check_record(json.dumps(forged), public_key_pem(kept.runtime.tokens))


def test_the_example_in_the_documentation_is_good():
    examples = Path(__file__).parents[3] / "docs" / "examples"

    record = check_record(
        (examples / "consent-export.json").read_text("utf-8"), (examples / "consent-key.pem").read_text()
    )

    assert [entry["act"] for entry in record["entries"]] == ["asked", "confirmed", "changed"]


def test_every_host_of_an_installation_signs_with_one_key_even_after_a_new_secret():
    first = public_key_pem(Tokens(["the-oldest-key-that-is-long-enough-for-us"]))

    assert public_key_pem(Tokens(["the-oldest-key-that-is-long-enough-for-us", "newer"])) == first


def test_an_unknown_person_has_no_record(everywhere):
    for public_id in ("nobody", "", "a\0b"):
        with everywhere.house.runtime.session() as session, pytest.raises(NotFound):
            consent_record(session, public_id, PUBLISHER, NOON)


def test_every_act_has_words():
    assert set(ACT_WORDS) == set(ConsentAct)
    assert detail_in_words({"topics": {"sea": "daily"}, "joined": True}) == "sea: daily, joined: True"
