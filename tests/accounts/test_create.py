from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.accounts.create import (
    account_key,
    change_password,
    create_account,
    end_sessions,
    find_account,
    list_accounts,
    reset_password,
)
from newsletter.errors import AddressInvalid, NotFound, StateConflict
from newsletter.models import AuditEntry


def _actions(session: Session) -> list[str]:
    return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def test_an_account_is_found_whatever_the_case_it_is_typed_in(session: Session, now: datetime) -> None:
    made = create_account(session, " Editor@Example.ORG ", "hash", "command line", now)

    assert made.email == "editor@example.org"
    assert find_account(session, "EDITOR@example.org") is made
    assert find_account(session, "somebody@example.org") is None
    assert find_account(session, "no address") is None


def test_a_new_account_must_choose_a_password_of_its_own(session: Session, now: datetime) -> None:
    assert create_account(session, "editor@example.org", "hash", "command line", now).must_change


def test_there_is_one_account_for_an_address(session: Session, now: datetime) -> None:
    create_account(session, "editor@example.org", "hash", "command line", now)

    with pytest.raises(StateConflict):
        create_account(session, "Editor@example.org", "hash", "command line", now)


@pytest.mark.parametrize(
    "name", ["", "editor", "@example.org", "editor@", "a b@c.d", "a@b\n.c", "<a@b.c>", "x" * 300 + "@b.c"]
)
def test_what_is_no_address_is_no_account(name: str) -> None:
    with pytest.raises(AddressInvalid):
        account_key(name)


def test_a_host_without_a_dot_is_allowed_for_an_account() -> None:
    assert account_key("Admin@localhost") == "admin@localhost"


def test_accounts_are_listed_by_address(session: Session, now: datetime) -> None:
    for email in ("c@example.org", "a@example.org", "b@example.org"):
        create_account(session, email, "hash", "command line", now)

    assert [user.email for user in list_accounts(session)] == [
        "a@example.org",
        "b@example.org",
        "c@example.org",
    ]


def test_a_reset_ends_every_session_and_asks_for_a_new_password(session: Session, now: datetime) -> None:
    user = create_account(session, "editor@example.org", "hash", "command line", now)
    user.must_change = False
    session.flush()
    before = user.session_key

    reset_password(session, "editor@example.org", "another", "command line", now)

    assert user.must_change
    assert user.password_hash == "another"
    assert user.session_key != before


def test_an_unknown_account_cannot_be_reset(session: Session, now: datetime) -> None:
    with pytest.raises(NotFound):
        reset_password(session, "nobody@example.org", "hash", "command line", now)


def test_a_chosen_password_ends_other_sessions_and_need_not_be_changed(
    session: Session, now: datetime
) -> None:
    user = create_account(session, "editor@example.org", "hash", "command line", now)
    before = user.session_key

    change_password(session, user.public_id, "mine", now)

    assert not user.must_change
    assert user.session_key != before


def test_signing_out_ends_every_session(session: Session, now: datetime) -> None:
    user = create_account(session, "editor@example.org", "hash", "command line", now)
    before = user.session_key

    end_sessions(session, user.public_id, now)

    assert user.session_key != before


def test_every_change_of_an_account_has_an_audit_entry(session: Session, now: datetime) -> None:
    user = create_account(session, "editor@example.org", "hash", "command line", now)
    reset_password(session, "editor@example.org", "hash", "command line", now)
    change_password(session, user.public_id, "mine", now)
    end_sessions(session, user.public_id, now)

    assert _actions(session) == [
        "account.created",
        "account.password_reset",
        "account.password_changed",
        "account.signed_out",
    ]
    subjects = set(session.scalars(select(AuditEntry.subject)))
    assert subjects == {user.public_id}
