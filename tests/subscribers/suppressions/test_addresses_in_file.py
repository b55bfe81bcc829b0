"""Reading the addresses in a file: one a line, or a column of a CSV file, whatever else is in it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.subscribers.suppressions.addresses_in_file import LONGEST_LINE, addresses_in, safe_cell


def read(content: bytes) -> list[str | None]:
    return [each.email_key for each in addresses_in(io.BytesIO(content))]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n\r\n  \n", []),
        (b"Ann@Example.org\nbob@example.org", ["ann@example.org", "bob@example.org"]),
        (b"ann@example.org\r\nbob@example.org\r\n", ["ann@example.org", "bob@example.org"]),
        (b"\xef\xbb\xbfann@example.org\n", ["ann@example.org"]),
        ("ann@example.org\n".encode("utf-16"), ["ann@example.org"]),
        (b"Email\nann@example.org\n", ["ann@example.org"]),
        (b'"E-Mail Address";"Name"\n"ann@example.org";"x@y"\n', ["ann@example.org"]),
        (b"Name,EMAIL,Sender\nAnn,ann@example.org,me@us.org\n", ["ann@example.org"]),
        (b"name\tcontact\nAnn\tann@example.org\n", ["ann@example.org"]),
        (b"1,ann@example.org\n2,bob@example.org\n", ["ann@example.org", "bob@example.org"]),
        (b"Ann Lee <ann@example.org>\n", ["ann@example.org"]),
        (b"nobody\nann@example.org\n", [None, "ann@example.org"]),
        (b'"o\nann@example.org\n', [None, "ann@example.org"]),
        (b"ann@example.org\n\xff\xfe\xfdx@example.org\nb\0b@example.org\n", ["ann@example.org", None, None]),
        (b"a@b@example.org\nann@localhost\n", [None, None]),
        (b"x" * (3 * LONGEST_LINE) + b"@example.org\nann@example.org\n", [None, "ann@example.org"]),
        ("jürgen@bücher.example.org\n".encode(), ["jürgen@xn--bcher-kva.example.org"]),
    ],
)
def test_addresses_are_found_in_files_of_many_forms(content, expected):
    assert read(content) == expected


def test_a_line_without_an_address_is_named_by_its_number():
    lines = list(addresses_in(io.BytesIO(b"ann@example.org\n\nnobody\n")))

    assert [(each.number, each.email_key is None) for each in lines] == [(1, False), (3, True)]


def test_an_address_that_looks_like_a_formula_comes_back_as_it_was():
    assert safe_cell("ann@example.org") == "ann@example.org"
    assert safe_cell("=1+1@example.org") == "'=1+1@example.org"
    assert read(b"address\n'=1+1@example.org\n") == ["=1+1@example.org"]
    assert read(b"'ann@example.org\n") == ["'ann@example.org"]


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_raise(content):
    for key in read(content):
        assert key is None or "@" in key


def test_a_file_without_line_ends_is_read_in_bounded_memory():
    class Endless(io.RawIOBase):
        """A file of 256 MiB without a line end, that counts the largest piece asked for."""

        left = 256 * 1024 * 1024
        largest = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            size = min(len(buffer), self.left)
            self.largest, self.left = max(self.largest, len(buffer)), self.left - size
            buffer[:size] = b"x" * size
            return size

    raw = Endless()

    assert [each.email_key for each in addresses_in(io.BufferedReader(raw))] == [None]
    assert raw.largest <= 64 * 1024
