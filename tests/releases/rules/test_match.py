"""Which releases the rules of a topic match."""

from __future__ import annotations

import pytest

from newsletter.models import RuleField, RuleMatch
from newsletter.releases.decide import Candidate
from newsletter.releases.rules.match import Group, Rule, RuleSet

PORT = Candidate("Port opens a quay", "Port of Halmstrand", "Ships take electricity from the shore.")


def words(*patterns: str) -> list[Rule]:
    return [Rule(RuleField.WORDS, each) for each in patterns]


def matches(candidate: Candidate, match: RuleMatch, rules: list[Rule | Group]) -> bool:
    return RuleSet(match, tuple(rules)).matches(candidate)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("quay", True),
        ("QUAY", True),
        ("electricity from", True),
        ("ship", False),  # a part of "Ships"
        ("port of", False),  # in the publisher only
        ("from the\n shore", True),
    ],
)
def test_words_match_as_whole_words(pattern, expected):
    assert matches(PORT, RuleMatch.ANY, words(pattern)) is expected


def test_any_rule_is_enough_and_all_means_all():
    rules = words("quay", "railway")

    assert matches(PORT, RuleMatch.ANY, rules)
    assert not matches(PORT, RuleMatch.ALL, rules)


def test_a_publisher_rule_looks_at_the_publisher():
    assert matches(PORT, RuleMatch.ALL, [Rule(RuleField.PUBLISHER, "halmstrand")])


def test_scripts_without_spaces_match_inside_a_sentence():
    release = Candidate("北浜沖の洋上風力発電所が運転を開始", "", "")

    assert matches(release, RuleMatch.ANY, words("風力"))


def test_a_topic_without_rules_matches_nothing():
    assert not matches(PORT, RuleMatch.ALL, [])


@pytest.mark.parametrize(
    ("field", "pattern", "expected"),
    [
        (RuleField.LANGUAGE, "pt", True),
        (RuleField.LANGUAGE, "pt-BR", True),
        (RuleField.LANGUAGE, "pt-PT", False),
        (RuleField.TAG, "ENERGY policy", True),
        (RuleField.TAG, "energy", False),
        (RuleField.TAG, "ener*", True),
        (RuleField.SOURCE, "abcdefghijkl", True),
        (RuleField.SOURCE, "abc", False),
    ],
)
def test_languages_tags_and_sources_match_as_a_whole(field, pattern, expected):
    release = Candidate("Um cais", "", "", "pt-BR", ("Energy Policy",), ("abcdefghijkl",))

    assert matches(release, RuleMatch.ANY, [Rule(field, pattern)]) is expected
    assert matches(release, RuleMatch.ANY, [Rule(field, pattern, is_not=True)]) is not expected


def test_a_group_counts_as_one_rule_and_can_be_turned_round():
    quay, railway, port = words("quay", "railway", "shore")
    both = Group(RuleMatch.ALL, (quay, railway))

    assert not matches(PORT, RuleMatch.ANY, [both])
    assert matches(PORT, RuleMatch.ALL, [port, Group(RuleMatch.ALL, (quay, railway), is_not=True)])
    assert matches(PORT, RuleMatch.ALL, [port, Group(RuleMatch.ANY, (quay, railway))])
