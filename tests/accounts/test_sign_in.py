from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.accounts.create import change_password, create_account
from newsletter.accounts.sign_in import (
    ACCOUNT,
    NETWORK,
    PAIR,
    Candidate,
    Refused,
    TooMany,
    begin_try,
    device_mark,
    finish_try,
    knows_device,
)
from newsletter.models import AdminUser, AuditEntry, ThrottleBucket
from newsletter.tokens import Tokens

HOME = "192.0.2.7"


@pytest.fixture
def editor(session: Session, now: datetime) -> AdminUser:
    user = create_account(session, "editor@example.org", "the hash", "command line", now)
    session.flush()
    return user


def _fail(session: Session, tokens: Tokens, now: datetime, email: str = "editor@example.org", ip: str = HOME,
          device: str | None = None) -> bool:  # fmt: skip
    """Make one try that fails; return whether the rate limits let it through to the check."""
    candidate = begin_try(session, email, ip, device, tokens, now)
    if isinstance(candidate, TooMany):
        return False
    assert finish_try(session, candidate, False, None, now) is Refused.WRONG
    return True


def test_the_right_password_signs_in(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    candidate = begin_try(session, "Editor@Example.org ", HOME, None, tokens, now)
    assert isinstance(candidate, Candidate)
    assert candidate.password_hash == "the hash"

    assert finish_try(session, candidate, True, None, now) is editor
    assert editor.signed_in_at == now


def test_an_outdated_hash_is_replaced_at_sign_in(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    candidate = begin_try(session, editor.email, HOME, None, tokens, now)
    assert isinstance(candidate, Candidate)

    finish_try(session, candidate, True, "a better hash", now)

    assert editor.password_hash == "a better hash"


def test_a_password_changed_during_the_check_does_not_sign_in(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    candidate = begin_try(session, editor.email, HOME, None, tokens, now)
    assert isinstance(candidate, Candidate)
    editor.password_hash = "changed on the command line"
    session.flush()

    assert finish_try(session, candidate, True, None, now) is Refused.WRONG


def test_one_network_has_five_tries(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    let_through = [_fail(session, tokens, now, ip=f"192.0.2.{n}") for n in range(1, 8)]

    assert let_through == [True] * 5 + [False] * 2


def test_unknown_addresses_have_the_same_limit(session: Session, tokens: Tokens, now: datetime) -> None:
    let_through = [_fail(session, tokens, now, email="nobody@example.org") for _ in range(7)]

    assert let_through == [True] * 5 + [False] * 2


def test_what_is_no_address_is_counted_too(session: Session, tokens: Tokens, now: datetime) -> None:
    assert [_fail(session, tokens, now, email="no address") for _ in range(6)] == [True] * 5 + [False]


def test_a_try_after_the_wait_is_allowed(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    for _ in range(5):
        _fail(session, tokens, now)
    refused = begin_try(session, editor.email, HOME, None, tokens, now)
    assert isinstance(refused, TooMany)
    assert 0 < refused.wait_seconds <= PAIR.period_seconds / PAIR.burst

    later = now + timedelta(seconds=refused.wait_seconds + 1)

    assert isinstance(begin_try(session, editor.email, HOME, None, tokens, later), Candidate)


def test_a_successful_sign_in_resets_the_limit(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    for _ in range(4):
        _fail(session, tokens, now)
    candidate = begin_try(session, editor.email, HOME, None, tokens, now)
    assert isinstance(candidate, Candidate)
    finish_try(session, candidate, True, None, now)
    session.flush()

    assert [_fail(session, tokens, now) for _ in range(6)] == [True] * 5 + [False]


def test_one_network_cannot_try_one_password_on_many_accounts(
    session: Session, tokens: Tokens, now: datetime
) -> None:
    let_through = [_fail(session, tokens, now, email=f"person{n}@example.org") for n in range(40)]

    assert sum(let_through) == NETWORK.burst


def test_an_attacker_in_another_network_does_not_lock_out_the_owner(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    for _ in range(20):
        _fail(session, tokens, now, ip="203.0.113.9")

    assert isinstance(begin_try(session, editor.email, HOME, None, tokens, now), Candidate)


def test_an_attack_from_many_networks_does_not_lock_out_a_known_browser(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    mark = device_mark(tokens, editor)
    tries = [_fail(session, tokens, now, ip=f"198.51.{n}.1") for n in range(int(ACCOUNT.burst) + 20)]
    assert sum(tries) == ACCOUNT.burst

    assert isinstance(begin_try(session, editor.email, HOME, None, tokens, now), TooMany)
    assert isinstance(begin_try(session, editor.email, HOME, mark, tokens, now), Candidate)


def test_a_browser_that_signed_in_before_has_no_more_tries_than_another(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    mark = device_mark(tokens, editor)

    let_through = [_fail(session, tokens, now, ip=f"198.51.{n}.1", device=mark) for n in range(7)]

    assert let_through == [True] * 5 + [False] * 2


def test_a_mark_is_good_for_its_own_account_and_password_only(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    other = create_account(session, "other@example.org", "their hash", "command line", now)
    mark = device_mark(tokens, editor)

    assert knows_device(tokens, editor, mark)
    assert not knows_device(tokens, other, mark)
    assert not knows_device(tokens, editor, mark + "0")
    assert not knows_device(tokens, editor, "")
    assert not knows_device(tokens, editor, "schön.é")
    editor.password_hash = "a new one"
    assert not knows_device(tokens, editor, mark)


def test_audit_entries_of_tries_have_no_addresses(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    _fail(session, tokens, now)
    _fail(session, tokens, now, email="my secret password@example.org")
    session.flush()

    entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "account.sign_in_failed")).all()
    assert [(entry.actor, entry.subject, entry.detail) for entry in entries] == [
        ("", editor.public_id, {}),
        ("", "unknown", {}),
    ]


def test_a_try_that_one_limit_refuses_is_counted_by_no_other(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    for _ in range(5):
        _fail(session, tokens, now)
    before = _levels(session)

    assert not _fail(session, tokens, now)

    assert _levels(session) == before


def test_the_networks_of_one_ipv6_customer_are_counted_as_one(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    tries = [
        _fail(session, tokens, now, email=f"user{n}@example.org", ip=f"2001:db8:1:{n:x}::1")
        for n in range(60)
    ]

    assert tries.count(True) == NETWORK.burst


def test_keys_of_limits_hold_neither_addresses_nor_networks(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    _fail(session, tokens, now)
    _fail(session, tokens, now, ip="2001:db8::1")
    _fail(session, tokens, now, device=device_mark(tokens, editor))

    assert _levels(session)
    assert all(re.fullmatch(r"[a-z:]+:[0-9a-f]{32}", key) for key in _levels(session))


def test_a_one_time_password_expires_after_72_hours(
    session: Session, editor: AdminUser, tokens: Tokens, now: datetime
) -> None:
    def outcome(at: datetime) -> object:
        candidate = begin_try(session, editor.email, HOME, None, tokens, at)
        assert isinstance(candidate, Candidate)
        return finish_try(session, candidate, True, None, at)

    assert outcome(now + timedelta(hours=71, minutes=59)) is editor
    assert outcome(now + timedelta(hours=72)) is Refused.EXPIRED
    change_password(session, editor.public_id, "the hash", now)
    assert outcome(now + timedelta(days=400)) is editor


def _levels(session: Session) -> dict[str, float]:
    session.expire_all()
    return {bucket.key: bucket.level for bucket in session.scalars(select(ThrottleBucket))}
