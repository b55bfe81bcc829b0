"""Parse the JSON of a webhook call, which may be hostile: bounded in size, depth and numbers. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from newsletter.errors import PayloadInvalid

# Amazon SNS sends 256 KiB of text, and SendGrid batches of 768 KiB.
LARGEST_BYTES = 1024 * 1024
DEEPEST = 20
LONGEST_TEXT = 4000
LONGEST_NUMBER = 20
MOST_ITEMS = 5000

# Without its end, a string goes on to the end of the text. Otherwise the search would begin again at each
# quotation mark in it, which takes quadratic time.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")

Object = Mapping[str, Any]


def load(raw: bytes | str) -> Any:
    """Return the value of a JSON text. Raises PayloadInvalid, and nothing else, for any `raw`.

    An object that names a key twice is refused: programs differ in which value they take.
    """
    if len(raw) > LARGEST_BYTES:
        raise PayloadInvalid("it is too large")
    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        _check_depth(text)
        return json.loads(
            text, object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_refuse
        )
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise PayloadInvalid("it is not JSON in UTF-8") from None


def load_object(raw: bytes | str) -> Object:
    """Return the object of a JSON text. Raises PayloadInvalid."""
    found = load(raw)
    if not isinstance(found, dict):
        raise PayloadInvalid("it is not a JSON object")
    return found


def load_objects(raw: bytes) -> list[Object]:
    """Return the objects of a JSON array, or the one object alone. Raises PayloadInvalid."""
    found = load(raw)
    listed = found if isinstance(found, list) else [found]
    if len(listed) > MOST_ITEMS:
        raise PayloadInvalid(f"it has more than {MOST_ITEMS} events")
    if not all(isinstance(each, dict) for each in listed):
        raise PayloadInvalid("it has events that are not JSON objects")
    return listed


def text_at(value: Any, *path: str) -> str:
    """Return the text at a path of keys, its first characters; "" without one. Numbers are texts here."""
    found = at(value, *path)
    if not isinstance(found, str):
        return ""
    # A half of a surrogate pair cannot be stored.
    return found[:LONGEST_TEXT].encode("utf-8", "replace").decode("utf-8")


def texts_at(value: Any, *path: str) -> list[str]:
    """Return the texts in the array at a path, or the one text there."""
    found = at(value, *path)
    listed = found if isinstance(found, list) else [found]
    return [text for each in listed[:MOST_ITEMS] if (text := text_at(each))]


def objects_at(value: Any, *path: str) -> list[Object]:
    """Return the objects in the array at a path."""
    found = at(value, *path)
    return [each for each in found[:MOST_ITEMS] if isinstance(each, dict)] if isinstance(found, list) else []


def at(value: Any, *path: str) -> Any:
    """Return the value at a path of keys, or None."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def as_bytes(value: Any) -> bytes:
    """Return a value as JSON, the same bytes for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _check_depth(text: str) -> None:
    """Raise if values are nested too deep. Python's parser would use its stack for each level."""
    depth = 0
    for found in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if found[0] in "[{" else -1
        if depth > DEEPEST:
            raise PayloadInvalid("it is nested too deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise PayloadInvalid("it names a key twice")
    return found


def _number(digits: str) -> str:
    # Numbers stay text: no number of a provider is calculated with, and a huge one takes long to convert.
    if len(digits) > LONGEST_NUMBER:
        raise PayloadInvalid("it has a number with too many digits")
    return digits


def _refuse(name: str) -> NoReturn:
    raise PayloadInvalid(f"it has {name}, which is not JSON")
