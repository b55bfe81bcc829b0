"""The JSON of webhook calls: bounded, strict, and never another error than the one for bad input."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.bounces.providers.payload import (
    DEEPEST,
    LARGEST_BYTES,
    MOST_ITEMS,
    as_bytes,
    at,
    load,
    load_object,
    load_objects,
    objects_at,
    text_at,
    texts_at,
)
from newsletter.errors import PayloadInvalid

HOSTILE = [
    b"",
    b"\xff\xfe{\x00}\x00",
    '{"a": 1}'.encode("utf-16"),
    b'{"a": "\xe9"}',
    b'{"a": 1, "a": 2}',
    b'[{"b": {"a": 1, "a": 1}}]',
    b'{"a": NaN}',
    b'{"a": -Infinity}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": 1e' + b"9" * 50 + b"}",
    b"[" * 100_000,
    b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
    b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1),
    b'{"a": "' + b"a" * LARGEST_BYTES + b'"}',
    b'{"a": 1} {"b": 2}',
    b"{'a': 1}",
    b'{"a": "\x00"}',
    b'"' + b"\\" * 100_001,
    # Each quotation mark could begin a string. A search that begins again at each one would not end today.
    b'"' + b'\\"' * 300_000,
]


@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_json_is_refused(raw: bytes):
    with pytest.raises(PayloadInvalid):
        load_object(raw)


@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(alphabet='{}[]":,0123456789.eE+-\\u\ud800 aNIn').map(
            lambda text: text.encode("utf-8", "surrogatepass")
        ),
    )
)
def test_no_bytes_raise_another_error(raw: bytes):
    try:
        found = load(raw)
    except PayloadInvalid:
        return

    assert json.loads(as_bytes(found)) == found


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=9),
        lambda inside: (
            st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_what_is_plain_json_is_read_as_it_is(value: object):
    raw = json.dumps(value).encode()

    assert load(raw) == value
    assert as_bytes(load(raw)) == as_bytes(value)


def test_brackets_in_texts_are_no_depth():
    assert load(json.dumps({"a": '[[\\"{' * 100}).encode()) == {"a": '[[\\"{' * 100}


def test_values_are_found_by_their_path_whatever_stands_there():
    source = load_object(
        b'{"a": {"b": "c", "d": 5, "e": ["x", 7, null, "y"], "f": [{"g": "h"}, "i"]}, "j": "\\ud83d"}'
    )

    assert text_at(source, "a", "b") == "c"
    assert text_at(source, "a", "d") == "5"
    assert [text_at(source, *path) for path in (("a",), ("a", "z"), ("a", "b", "c"), ("a", "e"))] == [""] * 4
    assert texts_at(source, "a", "e") == ["x", "7", "y"]
    assert texts_at(source, "a", "b") == ["c"]
    assert objects_at(source, "a", "f") == [{"g": "h"}]
    assert objects_at(source, "a", "b") == []
    assert at(source, "a", "f", "g") is None
    assert text_at(source, "j") == "?"


def test_a_batch_is_a_list_of_objects_or_one():
    assert load_objects(b'{"a": "1"}') == [{"a": "1"}]
    assert load_objects(b'[{"a": "1"}, {}]') == [{"a": "1"}, {}]
    for raw in (b'[{"a": "1"}, 2]', b'"a"', b"[" + b"{}," * MOST_ITEMS + b"{}]"):
        with pytest.raises(PayloadInvalid):
            load_objects(raw)
