"""The stored rules: ask them about addresses, list them, add and remove them.

Each question is one query by the domains in question, so a change holds for every process at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, delete, exists, func, literal, select
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.address_rules.pattern import Pattern, hosts_of, match_local
from newsletter.errors import NotFound, StateConflict
from newsletter.mail.redact import without_addresses
from newsletter.models import AddressRule, RuleKind, StoppedSubscriber, Subscriber, insert_new, rows_as_table

LONGEST_NOTE = 200
# What sign-up refuses.
REFUSED = (RuleKind.NEVER_ACCEPTED, RuleKind.NEVER_MAILED)


def is_never_mailed(session: Session, email_key: str) -> bool:
    """Return whether a rule says that this address is never emailed."""
    return bool(never_mailed_among(session, [email_key]))


def never_mailed_among(session: Session, email_keys: Collection[str]) -> set[str]:
    """Return the addresses among `email_keys` that a rule says are never emailed."""
    return _matching(session, email_keys, (RuleKind.NEVER_MAILED,))


def is_never_accepted(session: Session, email_key: str) -> bool:
    """Return whether a rule says that nobody can sign up with this address."""
    return bool(never_accepted_among(session, [email_key]))


def never_accepted_among(session: Session, email_keys: Collection[str]) -> set[str]:
    """Return the addresses among `email_keys` with which nobody can sign up."""
    return _matching(session, email_keys, REFUSED)


def allowed_patterns(session: Session) -> Sequence[Pattern]:
    """Return the patterns that sign-up takes although their domain is a disposable one."""
    return [pattern_of(rule) for rule in list_rules(session, RuleKind.ALLOWED)]


def _matching(session: Session, email_keys: Collection[str], kinds: Collection[RuleKind]) -> set[str]:
    if not email_keys or not session.scalar(select(exists().where(AddressRule.kind.in_(kinds)))):
        return set()
    split = [(key, *key.rpartition("@")[::2]) for key in email_keys]
    hosts = {host for domain in {domain for _, _, domain in split} for host in hosts_of(domain)}
    given = rows_as_table(session, {"host": str}, [(host,) for host in sorted(hosts)])
    wanted: dict[str, list[str]] = {}
    found = select(AddressRule.host, AddressRule.local).where(
        AddressRule.host.in_(select(given.c.host)), AddressRule.kind.in_(kinds)
    )
    for host, local in session.execute(found):
        wanted.setdefault(host, []).append(local)
    if not wanted:
        return set()
    return {
        key
        for key, local, domain in split
        if any(match_local(each, local) for host in hosts_of(domain) for each in wanted.get(host, ()))
    }


def list_rules(session: Session, kind: RuleKind | None = None) -> Sequence[AddressRule]:
    """Return the rules of one kind, or all, ordered by domain."""
    query = select(AddressRule).order_by(AddressRule.host, AddressRule.local)
    return session.scalars(query if kind is None else query.where(AddressRule.kind == kind)).all()


def rules_for(session: Session, email_key: str) -> Sequence[AddressRule]:
    """Return the rules that match one address."""
    local, _, domain = email_key.rpartition("@")
    found = select(AddressRule).where(AddressRule.host.in_(hosts_of(domain))).order_by(AddressRule.id)
    return [rule for rule in session.scalars(found) if match_local(rule.local, local)]


def stopping_patterns(session: Session, email_key: str) -> tuple[str, ...]:
    """Return the patterns of the rules that stop all emails to one address."""
    found = rules_for(session, email_key)
    return tuple(str(pattern_of(rule)) for rule in found if rule.kind is RuleKind.NEVER_MAILED)


def pattern_of(rule: AddressRule) -> Pattern:
    """Return the pattern of a stored rule."""
    return Pattern(rule.host, rule.local)


def add_rule(
    session: Session, pattern: Pattern, kind: RuleKind, note: str, actor: str, now: datetime
) -> None:
    """Add a rule, with an entry in the audit log. Raises StateConflict if the pattern has one. No commit."""
    fresh = insert_new(session, AddressRule).values(
        host=pattern.host,
        local=pattern.local,
        kind=kind,
        note=without_addresses(" ".join(note.split()))[:LONGEST_NOTE],
        since=now,
    )
    number = session.scalar(fresh.returning(AddressRule.id))
    if number is None:
        raise StateConflict(f"There is a rule for {pattern} already. Remove it first.")
    if kind is RuleKind.NEVER_MAILED:
        stopped: Any = select(literal(number, BigInteger()), Subscriber.id).where(_in_sql(pattern))
        columns = (["rule_id", "subscriber_id"], stopped)
        session.execute(insert_new(session, StoppedSubscriber, columns))
    audit.record(session, actor, "domain.add", str(pattern)[:120], now, kind=kind.value)


def find_rule(session: Session, pattern: Pattern) -> AddressRule:
    """Return the rule of a pattern. Raises NotFound."""
    found = session.scalars(
        select(AddressRule).where(AddressRule.host == pattern.host, AddressRule.local == pattern.local)
    ).one_or_none()
    if found is None:
        raise NotFound(f"there is no rule for {pattern}")
    return found


def stopped_subscribers() -> Select[int]:
    """Return the query for the ids of the subscribers whom rules stop. Selection leaves them out."""
    return select(StoppedSubscriber.subscriber_id)


def forget_stopped(session: Session, subscriber_id: int) -> None:
    """Forget that rules stop a person, because they have another address now or none. Commits nothing."""
    theirs = delete(StoppedSubscriber).where(StoppedSubscriber.subscriber_id == subscriber_id)
    session.execute(theirs.execution_options(synchronize_session=False))


def remove_rule(session: Session, pattern: Pattern, actor: str, now: datetime) -> RuleKind:
    """Remove the rule of a pattern; return its kind. Raises NotFound. Commits nothing.

    Pages and commands use subscribers/suppressions/end_rule.py, which also cares for those it stopped.
    """
    mine = (AddressRule.host == pattern.host, AddressRule.local == pattern.local)
    stopped = StoppedSubscriber.rule_id.in_(select(AddressRule.id).where(*mine))
    session.execute(delete(StoppedSubscriber).where(stopped).execution_options(synchronize_session=False))
    found = session.scalar(delete(AddressRule).where(*mine).returning(AddressRule.kind))
    if found is None:
        raise NotFound(f"there is no rule for {pattern}")
    kind = RuleKind(found)
    audit.record(session, actor, "domain.remove", str(pattern)[:120], now, kind=kind.value)
    return kind


def count_subscribers(session: Session, pattern: Pattern) -> int:
    """Return how many subscribers have an address that matches. It reads all addresses."""
    return session.scalar(select(func.count()).select_from(Subscriber).where(_in_sql(pattern))) or 0


def _in_sql(pattern: Pattern) -> ColumnElement[bool]:
    """Return the condition that a subscriber's address matches. No domain and no local part has an @."""
    text = f"{pattern.local}@{pattern.host}"
    escaped = "".join("%" if each == "*" else f"/{each}" if each in "/%_" else each for each in text)
    return Subscriber.email_key.like(escaped, escape="/")
