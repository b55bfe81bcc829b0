"""Add and list topics, change their rules, and compare what rules match."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, contains_eager, selectinload

from newsletter import audit
from newsletter.errors import FieldsInvalid, InputError, NotFound
from newsletter.models import (
    FIRST_NEWSLETTER,
    TOPIC_ORDER,
    Newsletter,
    Release,
    RuleField,
    RuleMatch,
    Topic,
    TopicRule,
)
from newsletter.releases.decide import Candidate
from newsletter.releases.rules.match import Group, Rule, RuleSet
from newsletter.releases.rules.match_words import find, find_formerly
from newsletter.releases.rules.text import check_pattern, write_rules

# `compare_rules` looks at this many of the newest releases.
COMPARED_RELEASES = 5_000
LONGEST_NAME = 120
LONGEST_DESCRIPTION = 500
HIGHEST_POSITION = 9999
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def add_topic(
    session: Session,
    *,
    slug: str,
    name: str,
    description: str = "",
    match: RuleMatch = RuleMatch.ANY,
    rules: Iterable[tuple[RuleField, str]] = (),
    newsletter_id: int = FIRST_NEWSLETTER,
    actor: str,
    now: datetime,
) -> Topic:
    """Add a topic of a newsletter after the others; return it. Commits nothing.

    Raises FieldsInvalid, also if another topic has this slug, and InputError if a rule cannot be used.
    """
    faults = check_slug(slug)
    texts = read_texts({"name": name, "description": description}, faults, name_needed=True)
    taken = (
        select(Newsletter.slug).join(Topic, Topic.newsletter_id == Newsletter.id).where(Topic.slug == slug)
    )
    owner = session.scalar(taken)
    if owner is not None:
        faults["slug"] = (
            f"There is already a topic {slug}, in the newsletter {owner}. Choose another slug: no two topics "
            "have the same, in any newsletter."
        )
    if faults:
        raise FieldsInvalid(faults)
    last = session.scalar(select(func.max(Topic.position)))
    topic = Topic(
        newsletter_id=newsletter_id,
        slug=slug,
        name=texts["name"],
        description=texts["description"],
        position=0 if last is None else last + 1,
        rule_match=match,
        created_at=now,
        rules=_rules(rules),
    )
    session.add(topic)
    session.flush()
    audit.record(session, actor, "topic.add", slug, now)
    return topic


def check_slug(slug: str) -> dict[str, str]:
    """Return what is wrong with a slug, by the name of its field; nothing if it can be used."""
    if _SLUG.fullmatch(slug) and len(slug) <= 64:
        return {}
    return {"slug": f"{slug!r} is not a slug: use a-z and 0-9, and hyphens between words."}


def read_texts(given: Mapping[str, str], faults: dict[str, str], *, name_needed: bool) -> dict[str, str]:
    """Return the texts of `given` on one line each, and add what is wrong to `faults`."""
    values = {name: " ".join(text.split()) for name, text in given.items() if name != "group"}
    name = values.get("name")
    if name is not None and (len(name) > LONGEST_NAME or (name_needed and not name)):
        faults["name"] = f"The name must have 1 to {LONGEST_NAME} characters."
    if len(values.get("description", "")) > LONGEST_DESCRIPTION:
        faults["description"] = f"The description has more than {LONGEST_DESCRIPTION} characters."
    for field in ("name", "description"):
        if not values.get(field, "").isprintable():
            faults[field] = f"The {field} has characters that cannot be printed."
    position = values.get("position")
    if position is not None and not (position.isascii() and position.isdigit() and len(position) <= 4):
        faults["position"] = f"The position must be a whole number from 0 to {HIGHEST_POSITION}."
    return values


def change_rules(
    session: Session,
    slug: str,
    rules: Iterable[tuple[RuleField, str]],
    *,
    clear: bool = False,
    actor: str,
    now: datetime,
) -> Topic:
    """Add rules to a topic; `clear` first removes its present rules and groups. Commits nothing.

    The rules apply to releases stored from now on. Stored releases keep their topics. `rules/edit.py`
    replaces all rules, groups included.
    """
    topic = find_topic(session, slug, lock=True)
    before = write_rules(rule_set_of(topic))
    if clear:
        topic.rules, topic.rule_groups = [], []
    topic.rules.extend(_rules(rules))
    session.flush()
    after = write_rules(rule_set_of(topic))
    audit.record(session, actor, "topic.rules", slug, now, before=before, after=after)
    return topic


@dataclass(frozen=True)
class RuleEffect:
    """How many stored releases a rule matches, and which ones it matches newly or no longer."""

    rule: Rule
    matched: int
    gained: tuple[tuple[str, str], ...]  # public id and title
    lost: tuple[tuple[str, str], ...]


def compare_rules(session: Session, before: Sequence[Rule], after: Sequence[Rule]) -> list[RuleEffect]:
    """Return what each rule gains and loses among the newest releases. Rules of `before` come first.

    A rule in both `before` and `after` is compared with how it matched before rules could have `*`
    (`match_words.find_formerly`).
    """
    rules = list(dict.fromkeys([*before, *after]))
    kept, there = set(before), set(after)
    matched: Counter[Rule] = Counter()
    gained: dict[Rule, list[tuple[str, str]]] = {rule: [] for rule in rules}
    lost: dict[Rule, list[tuple[str, str]]] = {rule: [] for rule in rules}
    columns = select(
        Release.public_id, Release.title, Release.publisher, Release.body_text, Release.language, Release.tags
    )
    newest = columns.order_by(Release.id.desc()).limit(COMPARED_RELEASES).execution_options(yield_per=100)
    for public_id, title, publisher, body, language, tags in session.execute(newest):
        candidate = Candidate(title, publisher, body, language, tuple(tags or ()))
        for rule in rules:
            if rule.field in {RuleField.WORDS, RuleField.PUBLISHER}:
                text = candidate.value(rule.field)
                had = rule in kept and find_formerly(rule.pattern, text)
                has = rule in there and find(rule.pattern, text)
            else:
                holds = Rule(rule.field, rule.pattern).holds(candidate)
                had, has = rule in kept and holds, rule in there and holds
            matched[rule] += has
            if has and not had:
                gained[rule].append((public_id, title))
            elif had and not has:
                lost[rule].append((public_id, title))
    return [RuleEffect(each, matched[each], tuple(gained[each]), tuple(lost[each])) for each in rules]


def rules_of(topic: Topic) -> list[Rule]:
    """Return a topic's rules as values, those of its groups included."""
    return rule_set_of(topic).rules()


def rule_set_of(topic: Topic) -> RuleSet:
    """Return a topic's rules and groups as values: first the rules that stand alone, then the groups."""
    alone = [_rule(each) for each in topic.rules if each.group_number is None]
    groups = [
        Group(
            each.match,
            tuple(_rule(rule) for rule in topic.rules if rule.group_number == each.number),
            each.is_not,
        )
        for each in topic.rule_groups
    ]
    return RuleSet(topic.rule_match, (*alone, *groups))


def _rule(row: TopicRule) -> Rule:
    return Rule(row.field, row.pattern, row.is_not)


def find_topic(session: Session, slug: str, *, lock: bool = False) -> Topic:
    """Return a topic, with a row lock if wanted. Raises NotFound."""
    query = select(Topic).where(Topic.slug == slug)
    topic = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if topic is None:
        raise NotFound(f"there is no topic {slug}")
    return topic


def list_topics(session: Session, newsletter_id: int | None = None) -> Sequence[Topic]:
    """Return every topic (of a newsletter) with its rules, in the order of the sign-up page."""
    wanted = select(Topic).outerjoin(Topic.group).order_by(*TOPIC_ORDER)
    wanted = wanted.options(
        selectinload(Topic.rules), selectinload(Topic.rule_groups), contains_eager(Topic.group)
    )
    if newsletter_id is not None:
        wanted = wanted.where(Topic.newsletter_id == newsletter_id)
    return session.scalars(wanted).all()


def _rules(rules: Iterable[tuple[RuleField, str]]) -> list[TopicRule]:
    made = []
    for field, pattern in rules:
        try:
            made.append(TopicRule(field=field, pattern=check_pattern(field, pattern), is_not=False))
        except ValueError as fault:
            raise InputError(str(fault)) from None
    return made
