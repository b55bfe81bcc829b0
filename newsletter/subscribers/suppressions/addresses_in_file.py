"""Read the addresses in a file: one a line, or one column of a CSV file. Memory stays bounded. Pure."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from newsletter.errors import AddressInvalid
from newsletter.mail.addresses import parse_address

# A longer line has no address that we look for.
LONGEST_LINE = 16 * 1024
SEPARATORS = ",;\t"
# What stands for bytes that are no text.
REPLACED = "\ufffd"
HEADINGS = frozenset({"email", "e-mail", "emailaddress", "e-mailaddress", "mail", "address", "recipient"})
# Spreadsheets take a cell that begins with one of these for a formula. The export writes ' before it.
FORMULA = ("=", "+", "-", "@")


class Line(NamedTuple):
    """A line with something in it, and the canonical address there; None if there is none."""

    number: int
    email_key: str | None


def safe_cell(address: str) -> str:
    """Return an address for a cell of a CSV file, so that no spreadsheet takes it for a formula."""
    return f"'{address}" if address.startswith(FORMULA) else address


def addresses_in(file: BinaryIO) -> Iterator[Line]:
    """Return each line of a file that is not empty, but not the line of headings.

    If the first line has a heading such as "Email", that column counts. Otherwise the first cell with an @
    counts. Each line counts alone, so a stray quotation mark damages one line only.
    """
    column: int | None = None
    separator = ""
    for number, line in _lines(file):
        if line is None:
            yield Line(number, None)
            continue
        if not line.strip():
            continue
        if not separator:
            separator = max(SEPARATORS, key=line.count)
            if "@" not in line:
                column = _column(_cells(line, separator))
                if column is not None or separator in line:
                    continue
        yield Line(number, _address(_cells(line, separator), column))


def _lines(file: BinaryIO) -> Iterator[tuple[int, str | None]]:
    """Return each line with its number; None for a line that is too long."""
    text = io.TextIOWrapper(file, encoding=_encoding(file), errors="replace")
    number, too_long = 1, False
    while part := text.readline(LONGEST_LINE):
        ended = part.endswith("\n")
        if ended or len(part) < LONGEST_LINE:
            yield number, None if too_long else part
            number, too_long = number + 1, False
        else:
            too_long = True
    if too_long:
        yield number, None
    text.detach()  # the caller closes the file


def _encoding(file: BinaryIO) -> str:
    """Return the encoding that the first bytes name. Spreadsheets also write UTF-16."""
    start = file.peek(3)[:3] if isinstance(file, io.BufferedReader) else _start_of(file)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"


def _start_of(file: BinaryIO) -> bytes:
    start = file.read(3)
    file.seek(-len(start), io.SEEK_CUR)
    return start


def _cells(line: str, separator: str) -> list[str]:
    try:
        (cells,) = csv.reader([line.rstrip("\r\n")], delimiter=separator)
    except (csv.Error, ValueError):
        return []
    return cells


def _column(headings: list[str]) -> int | None:
    names = ["".join(each.lower().split()).strip("\"'") for each in headings]
    return next((at for at, name in enumerate(names) if name in HEADINGS), None)


def _address(cells: list[str], column: int | None) -> str | None:
    if column is None:
        cell = next((each for each in cells if "@" in each), "")
    else:
        cell = cells[column] if column < len(cells) else ""
    text = cell.strip()
    if text.endswith(">") and "<" in text:
        text = text[text.rindex("<") + 1 : -1]  # Ann Lee <ann@example.org>
    if text.startswith("'") and text[1:].startswith(FORMULA):
        text = text[1:]
    if REPLACED in text:
        return None
    try:
        return parse_address(text).canonical
    except AddressInvalid:
        return None
