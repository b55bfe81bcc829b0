"""Write and read the rules of a topic as lines of text. Pure.

    any of
    words: gas*
    not publisher: Port of Halmstrand
    all of
      language: de
      not tag: sport

The first line says how the rules count. A line `any of` or `all of` below it begins a group, whose rules are
indented. `not` before a rule or a group negates it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from newsletter.errors import FieldsInvalid
from newsletter.models import RuleField, RuleMatch
from newsletter.releases.rules.match import Group, Rule, RuleSet

MOST_RULES = 200
LONGEST_PATTERN = 200
_HEADS = {"any of": RuleMatch.ANY, "all of": RuleMatch.ALL}
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]+)*")
_KNOWN = ", ".join(each.value for each in RuleField)


def write_rules(rules: RuleSet) -> str:
    """Return the text that `read_rules` reads; "" without rules."""
    if not rules.parts:
        return ""
    lines = [f"{rules.match} of"]
    for part in rules.parts:
        if isinstance(part, Group):
            lines.append(f"{_not(part)}{part.match} of")
            lines += [f"  {_line(each)}" for each in part.rules]
        else:
            lines.append(_line(part))
    return "\n".join(lines)


def read_rules(text: str) -> RuleSet:
    """Return the rules of a text. Raises FieldsInvalid with each wrong line, under the name `rules`."""
    reader = _Reader()
    for number, line in enumerate(text.replace("\t", "  ").splitlines(), start=1):
        if line.strip():
            reader.read(line, number)
    reader.end_group()
    # Rules before groups, as they are stored. The order changes nothing.
    parts = sorted(reader.parts, key=lambda each: isinstance(each, Group))
    found = RuleSet(reader.match or RuleMatch.ANY, tuple(parts))
    if len(found.rules()) > MOST_RULES:
        reader.faults.append(f"There are more than {MOST_RULES} rules.")
    if reader.faults:
        raise FieldsInvalid({"rules": " ".join(reader.faults)})
    return found


@dataclass
class _OpenGroup:
    """A group whose rules are being read; `line` is the number of its first line."""

    match: RuleMatch
    is_not: bool
    line: int
    rules: list[Rule] = field(default_factory=list)


@dataclass
class _Reader:
    """Reads rules line by line."""

    match: RuleMatch | None = None
    parts: list[Rule | Group] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    group: _OpenGroup | None = None

    def read(self, line: str, number: int) -> None:
        words, is_indented = " ".join(line.split()), line.startswith(" ")
        head, is_not = _HEADS.get(_bare(words).casefold()), words.casefold().startswith("not ")
        if self.match is None:
            self.match = head or RuleMatch.ANY
            if head is not None and not is_not:
                return
            self.faults.append(f"Line {number}: begin with “any of” or “all of”.")
        if head is None:
            self._read_rule(words, number, is_indented=is_indented)
        elif is_indented:
            self.faults.append(f"Line {number}: a group cannot be inside a group.")
        else:
            self.end_group()
            self.group = _OpenGroup(head, is_not, number)

    def _read_rule(self, words: str, number: int, *, is_indented: bool) -> None:
        if not is_indented:
            self.end_group()
        elif self.group is None:
            self.faults.append(f"Line {number}: only the rules of a group are indented.")
        rule = _read(words, number, self.faults)
        if rule is not None and self.group is not None:
            self.group.rules.append(rule)
        elif rule is not None:
            self.parts.append(rule)

    def end_group(self) -> None:
        group, self.group = self.group, None
        if group is None:
            return
        if not group.rules:
            self.faults.append(
                f"Line {group.line}: the group has no rules. Indent the rules that belong to it."
            )
        self.parts.append(Group(group.match, tuple(group.rules), group.is_not))


def check_pattern(field: RuleField, pattern: str) -> str:
    """Return the pattern of a rule on one line. Raises ValueError with a sentence."""
    words = " ".join(pattern.split())
    if not words or len(words) > LONGEST_PATTERN:
        raise ValueError(f"a rule needs one or more words, at most {LONGEST_PATTERN} characters")
    if not words.isprintable():
        raise ValueError("a rule has characters that cannot be printed")
    if field is RuleField.LANGUAGE and not _LANGUAGE.fullmatch(words):
        raise ValueError(f"{words!r} is not a language tag, such as en or pt-BR")
    if field is RuleField.SOURCE:
        return words
    if any("*" in part.rstrip("*") or not part.strip("*") for part in words.split()):
        raise ValueError(f"{words!r} has a * that is not at the end of a word; write it like gas*")
    return words


def _read(words: str, number: int, faults: list[str]) -> Rule | None:
    name, colon, pattern = _bare(words).partition(":")
    kind = next((each for each in RuleField if each == name.strip().casefold()), None)
    if kind is None or not colon:
        faults.append(f"Line {number}: write the rule as “words: gas*”. The fields are {_KNOWN}.")
        return None
    try:
        return Rule(kind, check_pattern(kind, pattern), words.casefold().startswith("not "))
    except ValueError as fault:
        faults.append(f"Line {number}: {fault}.")
        return None


def _bare(words: str) -> str:
    return words[4:].strip() if words.casefold().startswith("not ") else words


def _line(rule: Rule) -> str:
    return f"{_not(rule)}{rule.field}: {rule.pattern}"


def _not(part: Rule | Group) -> str:
    return "not " if part.is_not else ""
