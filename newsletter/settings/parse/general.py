"""Parsers for texts, keys, paths, commands, languages, yes or no, and choices. Pure."""

from __future__ import annotations

import enum
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from newsletter.languages import LANGUAGES
from newsletter.settings.parse.common import (
    split_list,
)

T = TypeVar("T")


MINIMUM_KEY_LENGTH = 32


def parse_text(value: str) -> str:
    return value.strip()


def parse_keys(value: str) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in value.split(",") if key.strip())
    if not keys:
        raise ValueError("contains no key")
    if any(len(key) < MINIMUM_KEY_LENGTH for key in keys):
        raise ValueError(
            f"has a key of fewer than {MINIMUM_KEY_LENGTH} characters; "
            "`python3 -c 'import secrets; print(secrets.token_urlsafe(32))'` makes one"
        )
    return keys


def parse_command(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError:
        raise ValueError("has an opening quotation mark without a closing one") from None
    if not words:
        raise ValueError("is not a command")
    return value.strip()


def parse_path(value: str) -> Path:
    value = value.strip()
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        # This locale cannot encode the path. The settings file is UTF-8, so the file's name is taken as
        # UTF-8.
        value = os.fsdecode(value.encode("utf-8", "surrogateescape"))
    return Path(value).expanduser().absolute()


def parse_languages(value: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(split_list(value)))
    unknown = [each for each in chosen if each not in LANGUAGES]
    if unknown:
        raise ValueError(f"names {', '.join(unknown)}; there are {', '.join(LANGUAGES)}")
    return chosen


def parse_yes(value: str) -> bool:
    word = value.strip().lower()
    if word not in {"1", "0", "true", "false", "yes", "no", "on", "off"}:
        raise ValueError("is neither yes nor no")
    return word in {"1", "true", "yes", "on"}


def one_of(kind: type[enum.StrEnum]) -> Callable[[str], Any]:
    def parse(value: str) -> enum.StrEnum:
        try:
            return kind(value.strip().lower())
        except ValueError:
            raise ValueError(f"is not one of {', '.join(kind)}") from None

    return parse


def optional(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    return lambda value: parse(value) if value.strip() else None


def optional_or(parse: Callable[[str], T], empty: T) -> Callable[[str], T]:
    return lambda value: parse(value) if value.strip() else empty
