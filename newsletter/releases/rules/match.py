"""Which releases the rules of a topic match: any or all of several rules, and groups of rules. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.models import RuleField, RuleMatch
from newsletter.models.release_languages import base_language
from newsletter.releases.decide import Candidate
from newsletter.releases.fold import fold
from newsletter.releases.rules.match_words import find


@dataclass(frozen=True)
class Rule:
    """One rule. With `is_not`, it holds for the releases that it would not hold for otherwise.

    PUBLISHER and WORDS look for the words of `pattern` (match_words.py). TAG is the whole tag, or the
    beginning of one as in `ener*`. LANGUAGE is a tag such as pt, which stands for pt-BR too. SOURCE is the
    public id of a source.
    """

    field: RuleField
    pattern: str
    is_not: bool = False

    def holds(self, candidate: Candidate) -> bool:
        """Return whether the rule holds for a release."""
        return self._is_found(candidate) != self.is_not

    def _is_found(self, candidate: Candidate) -> bool:
        if self.field is RuleField.SOURCE:
            return self.pattern in candidate.sources
        if self.field is RuleField.LANGUAGE:
            language = candidate.language.lower()
            return self.pattern.lower() in {language, base_language(language)}
        if self.field is RuleField.TAG:
            wanted = fold(self.pattern)
            begins = wanted.removesuffix("*") if wanted.endswith("*") else None
            return any(
                tag == wanted if begins is None else tag.startswith(begins)
                for tag in map(fold, candidate.tags)
            )
        return find(self.pattern, candidate.value(self.field))


@dataclass(frozen=True)
class Group:
    """Several rules that count as one."""

    match: RuleMatch
    rules: tuple[Rule, ...]
    is_not: bool = False

    def holds(self, candidate: Candidate) -> bool:
        """Return whether any or all of the rules hold for a release; with `is_not`, whether they do not."""
        return _hold(self.match, self.rules, candidate) != self.is_not


@dataclass(frozen=True)
class RuleSet:
    """The rules of a topic, and groups of them. Without any, nothing matches."""

    match: RuleMatch = RuleMatch.ANY
    parts: tuple[Rule | Group, ...] = ()

    def matches(self, candidate: Candidate) -> bool:
        """Return whether a release comes under the topic."""
        return bool(self.parts) and _hold(self.match, self.parts, candidate)

    def rules(self) -> list[Rule]:
        """Return all rules, those of groups included."""
        return [rule for part in self.parts for rule in (part.rules if isinstance(part, Group) else (part,))]


def _hold(match: RuleMatch, parts: Sequence[Rule | Group], candidate: Candidate) -> bool:
    held = (each.holds(candidate) for each in parts)
    return any(held) if match is RuleMatch.ANY else all(held)
