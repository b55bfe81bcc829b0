"""Rules for domains, on SQLite and on PostgreSQL: add, remove, ask and count."""

from __future__ import annotations

import pytest
from house import House

from newsletter.address_rules.pattern import Pattern, parse_pattern
from newsletter.address_rules.rules import (
    add_rule,
    allowed_patterns,
    count_subscribers,
    is_never_accepted,
    is_never_mailed,
    list_rules,
    never_mailed_among,
    pattern_of,
    remove_rule,
    rules_for,
)
from newsletter.errors import NotFound, StateConflict
from newsletter.models import AuditEntry, RuleKind, Subscriber

PEOPLE = [
    "ann@example.org",
    "bob@mail.example.org",
    "news_1@other.org",
    "newsroom@other.org",
    "cat%d@other.org",
]


def add(house: House, typed: str, kind: RuleKind = RuleKind.NEVER_MAILED, note: str = "") -> None:
    with house.runtime.session() as session:
        add_rule(session, parse_pattern(typed), kind, note, "owner", house.clock())
        session.commit()


@pytest.fixture
def crowd(either_house: House) -> House:
    with either_house.runtime.session() as session:
        for email in PEOPLE:
            session.add(Subscriber(email=email, email_key=email, created_at=either_house.clock()))
        session.commit()
    return either_house


@pytest.mark.parametrize(
    ("typed", "number"),
    [("example.org", 1), ("*.example.org", 1), ("*.org", 5), ("news*@other.org", 2), ("*_*@*", 1),
     ("*%*@*", 1)],
)  # fmt: skip
def test_the_count_agrees_with_the_question(crowd: House, typed: str, number: int):
    pattern = parse_pattern(typed)
    add(crowd, typed)

    with crowd.runtime.session() as session:
        assert count_subscribers(session, pattern) == number
        assert never_mailed_among(session, PEOPLE) == {each for each in PEOPLE if pattern.matches(each)}
        assert len(never_mailed_among(session, PEOPLE)) == number


def test_never_mailed_includes_never_accepted_and_not_the_other_way_round(either_house: House):
    add(either_house, "example.org", RuleKind.NEVER_ACCEPTED)
    add(either_house, "other.org", RuleKind.NEVER_MAILED)
    add(either_house, "good.org", RuleKind.ALLOWED)

    with either_house.runtime.session() as session:
        keys = ("ann@example.org", "ann@other.org", "ann@good.org", "ann@new.org")
        assert [is_never_accepted(session, each) for each in keys] == [True, True, False, False]
        assert [is_never_mailed(session, each) for each in keys] == [False, True, False, False]
        assert allowed_patterns(session) == [Pattern("good.org")]
        assert [each.kind for each in rules_for(session, "ann@other.org")] == [RuleKind.NEVER_MAILED]


def test_a_rule_is_added_once_and_removed_with_an_entry_in_the_audit_log(either_house: House):
    add(either_house, "*.example.org", note="they sell lists,\nsays ann@example.org")
    with pytest.raises(StateConflict, match="already"):
        add(either_house, "*.EXAMPLE.org", RuleKind.ALLOWED)

    with either_house.runtime.session() as session:
        (rule,) = list_rules(session)
        assert rule.note == "they sell lists, says (an address)"
        assert remove_rule(session, pattern_of(rule), "owner", either_house.clock()) is RuleKind.NEVER_MAILED
        session.commit()
        with pytest.raises(NotFound):
            remove_rule(session, Pattern("*.example.org"), "owner", either_house.clock())

    entries = either_house.all(AuditEntry)
    assert [(each.action, each.subject, each.detail) for each in entries] == [
        ("domain.add", "*.example.org", {"kind": "never_mailed"}),
        ("domain.remove", "*.example.org", {"kind": "never_mailed"}),
    ]


def test_a_change_holds_at_once_for_another_process(either_house: House):
    with either_house.runtime.reading() as session:
        assert not is_never_mailed(session, "ann@example.org")
    add(either_house, "example.org")

    with either_house.runtime.reading() as session:
        assert is_never_mailed(session, "ann@example.org")
