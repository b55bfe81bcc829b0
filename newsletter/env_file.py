"""Read a settings file in the syntax of a shell, and note where a value was cut off or replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import Binding, parse_stream
from dotenv.variables import Variable, parse_variables

_COMMENT = re.compile(r"\s#")


@dataclass(frozen=True)
class EnvFile:
    """The contents of a settings file.

    `notes` are about values that their author may have meant differently. `faults` are lines that cannot be
    read.
    """

    values: Mapping[str, str]
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def read_env_file(path: Path, environ: Mapping[str, str], prefix: str) -> EnvFile:
    """Return the values of the file at `path`, and notes on the names that begin with `prefix`.

    In a value without quotes or in double quotes, ${NAME} is replaced by an earlier line's value or by a
    variable of `environ`. In single quotes nothing is replaced. Notes never contain a value, because it may
    be secret. Raises OSError and UnicodeDecodeError.
    """
    values: dict[str, str] = {}
    notes: list[str] = []
    faults: list[str] = []
    with path.open(encoding="utf-8") as file:
        bindings = list(parse_stream(file))
    for each in bindings:
        if each.error:
            line = each.original.line + _blank_lines(each)
            faults.append(
                f"{path}, line {line}, cannot be read: a quote is not closed, or text follows the closing one"
            )
        elif each.key is not None:
            values[each.key], found = _value(each, {**environ, **values})
            if each.key.startswith(prefix):
                line = each.original.line + _blank_lines(each)
                notes += [f"{path}, line {line}: {each.key} {note}" for note in found]
    return EnvFile(values, tuple(notes), tuple(faults))


def _value(binding: Binding, known: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return a line's value, and notes on what was cut off or replaced in it.

    `known` has the values of the names that can stand in ${...}.
    """
    value = binding.value or ""
    written = binding.original.string.partition("=")[2].rstrip("\r\n")
    quote = written.lstrip()[:1]
    if quote == "'":
        return value, []
    notes = []
    remedy = f"write it in single quotes: {binding.key}='...'"
    if quote != '"' and _COMMENT.search(written):
        notes.append(f"ends before “ #”: what follows is a comment. If it belongs to the value, {remedy}")
    parts = list(parse_variables(value))
    for part in parts:
        if isinstance(part, Variable):
            if part.name in known:
                became = f"was replaced by the variable {part.name}"
            elif part.default is not None:
                became = "was replaced by its default"
            else:
                became = "was cut out, because there is no such variable"
            notes.append(
                f"holds ${{{part.name}}}, which {became}. If it is part of the value itself, {remedy}"
            )
    return "".join(part.resolve(known) for part in parts), notes


def _blank_lines(binding: Binding) -> int:
    """Return the number of empty lines that the parser put at the start of this line."""
    text = binding.original.string
    return text[: len(text) - len(text.lstrip())].count("\n")
