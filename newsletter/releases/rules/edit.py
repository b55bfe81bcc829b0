"""Try the rules of a topic against stored releases, and change them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.errors import FieldsInvalid
from newsletter.models import (
    Release,
    ReleaseTopic,
    RuleField,
    Source,
    SourceItem,
    Topic,
    TopicChoice,
    TopicRule,
    TopicRuleGroup,
    is_one_of,
)
from newsletter.releases.decide import Candidate
from newsletter.releases.rules.match import Group, Rule, RuleSet
from newsletter.releases.rules.text import write_rules
from newsletter.releases.topics.manage import find_topic, rule_set_of

# How many of the newest releases are looked at.
TRIED = 5_000
# How many of the releases that come or go are listed.
SHOWN = 20
_AT_ONCE = 200


@dataclass
class Trial:
    """What rules would do to the newest releases: how many match, which are new, and which drop out.

    A release drops out if it is under the topic and the rules do not match it. It stays there: to take it
    off, edit the release. `by_hand` counts the releases that an editor put under the topic or took off it,
    which rules never change.
    """

    tried: int = 0
    matches: int = 0
    by_hand: int = 0
    gains: int = 0
    losses: int = 0
    # Public id and title of the first ones.
    gained: list[tuple[str, str]] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)


def try_rules(session: Session, slug: str, rules: RuleSet) -> Trial:
    """Return what these rules of a topic would do to the newest releases. Writes nothing.

    Raises NotFound, and FieldsInvalid for a source that does not exist.
    """
    topic = find_topic(session, slug)
    _check_sources(session, rules)
    trial = Trial()
    for release, candidate, is_under, is_chosen in _newest(session, topic.id):
        trial.tried += 1
        matches = rules.matches(candidate)
        trial.matches += matches
        if is_chosen:
            trial.by_hand += 1
        elif matches and not is_under:
            trial.gains += 1
            trial.gained += [(release.public_id, release.title)] if trial.gains <= SHOWN else []
        elif is_under and not matches:
            trial.losses += 1
            trial.lost += [(release.public_id, release.title)] if trial.losses <= SHOWN else []
    return trial


def set_rules(
    session: Session, slug: str, rules: RuleSet, *, actor: str, now: datetime, existing: bool = False
) -> int:
    """Replace the rules of a topic; return how many stored releases came under it.

    The rules apply to releases that are stored from now on. With `existing`, the newest stored releases that
    match come under the topic too. Those pairs get no sequence, so no email brings them, unless an editor
    sends one after all. No release leaves the topic, and what an editor chose stays. Commits nothing. Raises
    NotFound, and FieldsInvalid for a source that does not exist.
    """
    topic = find_topic(session, slug, lock=True)
    _check_sources(session, rules)
    before = rule_set_of(topic)
    if rules != before:
        _store(session, topic, rules)
        audit.record(
            session, actor, "topic.rules", slug, now, before=write_rules(before), after=write_rules(rules)
        )
    if not existing:
        return 0
    found = [
        release.id
        for release, candidate, is_under, is_chosen in _newest(session, topic.id)
        if not is_under and not is_chosen and rules.matches(candidate)
    ]
    session.add_all(ReleaseTopic(release_id=each, topic_id=topic.id) for each in found)
    if found:
        audit.record(session, actor, "topic.rules_applied", slug, now, releases=len(found))
    session.flush()
    return len(found)


def _store(session: Session, topic: Topic, rules: RuleSet) -> None:
    topic.rule_match = rules.match
    topic.rules, topic.rule_groups = [], []
    session.flush()
    for number, part in enumerate(rules.parts, start=1):
        if isinstance(part, Group):
            topic.rule_groups.append(TopicRuleGroup(number=number, match=part.match, is_not=part.is_not))
            topic.rules.extend(_row(each, number) for each in part.rules)
        else:
            topic.rules.append(_row(part, None))
    session.flush()


def _row(rule: Rule, group_number: int | None) -> TopicRule:
    return TopicRule(field=rule.field, pattern=rule.pattern, is_not=rule.is_not, group_number=group_number)


def _check_sources(session: Session, rules: RuleSet) -> None:
    named = {each.pattern for each in rules.rules() if each.field is RuleField.SOURCE}
    known = set(session.scalars(select(Source.public_id).where(Source.public_id.in_(named))))
    missing = ", ".join(sorted(named - known))
    if missing:
        raise FieldsInvalid({"rules": f"There is no source {missing}. Write the ID of a source."})


def _newest(session: Session, topic_id: int) -> Iterator[tuple[Release, Candidate, bool, bool]]:
    """Yield the newest releases: whether each is under the topic, and whether an editor chose that."""
    under = set(session.scalars(select(ReleaseTopic.release_id).where(ReleaseTopic.topic_id == topic_id)))
    chosen = set(session.scalars(select(TopicChoice.release_id).where(TopicChoice.topic_id == topic_id)))
    query = select(Release).where(Release.deleted_at.is_(None)).order_by(Release.id.desc())
    last, seen = None, 0
    while seen < TRIED:
        part = query if last is None else query.where(Release.id < last)
        found = session.scalars(part.limit(_AT_ONCE)).all()
        if not found:
            return
        sources = sources_of(session, [each.id for each in found])
        for each in found:
            candidate = Candidate.of(each, sources.get(each.id, ()))
            yield each, candidate, each.id in under, each.id in chosen
        last, seen = found[-1].id, seen + len(found)
        for each in found:
            session.expunge(each)


def sources_of(session: Session, release_ids: Collection[int]) -> Mapping[int, tuple[str, ...]]:
    """Return the public ids of the sources that have each of these releases."""
    rows = session.execute(
        select(SourceItem.release_id, Source.public_id)
        .join(Source, Source.id == SourceItem.source_id)
        .where(is_one_of(session, SourceItem.release_id, release_ids))
    )
    found: dict[int, tuple[str, ...]] = {}
    for release_id, public_id in rows:
        found[release_id] = (*found.get(release_id, ()), public_id)
    return found
