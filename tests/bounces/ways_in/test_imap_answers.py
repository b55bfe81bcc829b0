"""Answers of IMAP servers, as servers write them, and as they should not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.bounces.ways_in.imap_answers import (
    Answer,
    Fetched,
    Untagged,
    exists,
    fetched,
    folder_name,
    literal_size,
    uid_set,
    without_literal,
)


@pytest.mark.parametrize(
    ("text", "blocks", "expected"),
    [
        (b"3 FETCH (UID 7 RFC822.SIZE 90 BODY[]<0> )", (b"raw",), Fetched(7, b"raw", 90)),
        (b"3 FETCH (BODY[]<0>  RFC822.SIZE 90 UID 7)", (b"raw",), Fetched(7, b"raw", 90)),
        (b'3 fetch (UID 7 BODY[]<0> "a\\"b\\\\" RFC822.SIZE 4)', (), Fetched(7, b'a"b\\', 4)),
        (b"3 FETCH (UID 7 RFC822.SIZE 0 BODY[]<0> NIL)", (), Fetched(7, b"", 0)),
        (b"3 FETCH (FLAGS (\\Seen))", (), None),
        (b"3 FETCH (UID 7 FLAGS (\\Seen))", (), None),
        (b"3 FETCH", (), None),
        (b"x FETCH (UID 7 BODY[] )", (b"raw",), None),
        (b"3 EXISTS", (), None),
        (b"", (), None),
    ],
)
def test_messages_are_read_from_fetch_answers(text, blocks, expected):
    assert fetched(Untagged(text, blocks)) == expected


def test_codes_and_numbers_are_found():
    answer = Answer(
        "OK",
        b"[READ-WRITE] done",
        (
            Untagged(b"OK [UIDVALIDITY 12] valid"),
            Untagged(rb"OK [PERMANENTFLAGS (\Seen \*)] limited"),
            Untagged(b"SEARCH 3 1 99999999999999999999 x"),
            Untagged(b"search 2"),
        ),
    )

    assert answer.code == "READ-WRITE"
    assert answer.value("UIDVALIDITY") == b"12"
    assert answer.value("PERMANENTFLAGS") == rb"(\Seen \*)"
    assert answer.value("UIDNEXT") is None
    assert answer.numbers("SEARCH") == [3, 1, 2]


def test_blocks_are_announced_at_the_end_of_a_line():
    assert literal_size(b"1 FETCH (BODY[] {42}") == 42
    assert literal_size(b"1 FETCH (BODY[] {4000000000000000}") is None
    assert literal_size(b"OK {3} no") is None
    assert without_literal(b"BODY[] {42}") == b"BODY[] "


def test_the_number_of_messages_is_found():
    assert exists(Untagged(b"23 EXISTS")) == 23
    assert exists(Untagged(b"23 RECENT")) is None
    assert exists(Untagged(b"99999999999 EXISTS")) is None


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("INBOX", b'"INBOX"'),
        ('a"b\\c', b'"a\\"b\\\\c"'),
        # The examples of RFC 3501, section 5.1.3.
        ("~peter/mail/台北/日本語", b'"~peter/mail/&U,BTFw-/&ZeVnLIqe-"'),
        ("A & B", b'"A &- B"'),
    ],
)
def test_names_of_folders_are_written_as_the_rfc_says(folder, name):
    assert folder_name(folder) == name


@given(st.sets(st.integers(1, 60)))
def test_a_set_of_uids_names_each_once(uids):
    text, found = uid_set(list(uids)), []
    for part in text.split(",") if text else []:
        low, _, high = part.partition(":")
        found += range(int(low), int(high or low) + 1)

    assert found == sorted(uids)


@given(st.binary(max_size=200), st.lists(st.binary(max_size=20), max_size=2))
def test_no_bytes_make_it_raise(text, blocks):
    message = fetched(Untagged(text, tuple(blocks)))
    count = exists(Untagged(text))
    found = Answer("OK", text, (Untagged(text),)).numbers("SEARCH")
    value = Answer("OK", text, (Untagged(b"OK " + text),)).value("UIDVALIDITY")

    assert message is None or message.size >= 0
    assert count is None or count >= 0
    assert all(0 <= number < 10**10 for number in found)
    assert value is None or value in text
