"""Notices to the owner: each is opened and emailed once, on SQLite and on PostgreSQL."""

from __future__ import annotations

import string

import pytest
from house import meanwhile

from newsletter.models import AdminUser, Delivery, Notice
from newsletter.notices import NoticeKind, find_open, open_notices, settle, settle_quiet, tell_owner, words
from newsletter.outbox.owner.email import AT_ONCE, email_notices

KIND = NoticeKind.SIGNUPS_HELD
OWNER = "owner@example.com"


def tell(house, subject="", **detail):
    with house.runtime.session() as session:
        new = tell_owner(session, KIND, subject, house.clock(), **detail)
        session.commit()
        return new


def email(house, owner=OWNER):
    with house.runtime.session() as session:
        count = email_notices(session, owner, house.clock())
        session.commit()
        return count


def test_a_notice_is_opened_once_for_each_subject(either_house):
    told = [tell(either_house, "a"), tell(either_house, "a"), tell(either_house, "b")]

    assert told == [True, False, True]
    with either_house.runtime.reading() as session:
        assert [each.subject for each in open_notices(session)] == ["b", "a"]


def test_an_open_notice_takes_the_latest_detail(either_house):
    tell(either_house, held=3, burst=1, per_hour=1, hold_hours=1)
    tell(either_house, held=5, burst=1, per_hour=1, hold_hours=1)

    with either_house.runtime.reading() as session:
        (notice,) = open_notices(session)
        assert "Sign-ups that wait: 5." in words(notice).sentence


def test_a_settled_notice_is_opened_again_when_the_fault_comes_back(either_house):
    tell(either_house)
    with either_house.runtime.session() as session:
        settled = [settle(session, KIND, "", either_house.clock()) for _ in range(2)]
        session.commit()

    assert settled == [True, False]
    assert tell(either_house) is True
    assert len(either_house.all(Notice)) == 2


def test_a_notice_that_was_not_reported_for_long_is_settled(either_house):
    tell(either_house, "old")
    either_house.clock.pass_(hours=2)
    tell(either_house, "new")

    with either_house.runtime.session() as session:
        count = settle_quiet(session, KIND, either_house.clock(), either_house.clock())
        session.commit()
        assert count == 1
        assert find_open(session, KIND, "old") is None
        assert find_open(session, KIND, "new") is not None


def test_two_processes_that_report_the_same_fault_open_one_notice(big_house):
    with big_house.runtime.session() as session:
        first = tell_owner(session, KIND, "relay", big_house.clock())
        with meanwhile(big_house, lambda: tell(big_house, "relay")):
            session.commit()

    assert first is True
    assert len(big_house.all(Notice)) == 1


def test_the_owner_is_emailed_once_for_each_notice(either_house):
    tell(either_house, "a")
    tell(either_house, "b")

    assert [email(either_house), email(either_house)] == [2, 0]
    assert [each.recipient for each in either_house.all(Delivery)] == [OWNER] * 2

    either_house.drain("single")
    assert either_house.recipients() == [OWNER] * 2


def test_every_account_is_emailed_when_no_owner_is_set(either_house):
    with either_house.runtime.session() as session:
        for address in ("admin@localhost", "ann@example.org", "bob@example.org"):
            session.add(AdminUser(email=address, password_hash="x", created_at=either_house.clock()))
        session.commit()
    tell(either_house)

    email(either_house, owner=None)

    assert [each.recipient for each in either_house.all(Delivery)] == ["ann@example.org", "bob@example.org"]


def test_without_an_account_a_notice_waits_for_the_first_one(either_house):
    tell(either_house)

    assert email(either_house, owner=None) == 0
    assert email(either_house) == 1


def test_hundreds_of_notices_are_emailed_a_few_at_a_time(either_house):
    for number in range(AT_ONCE + 3):
        tell(either_house, str(number))

    assert [email(either_house), email(either_house)] == [AT_ONCE, 3]


@pytest.mark.parametrize("kind", NoticeKind, ids=lambda kind: kind.key)
def test_every_kind_has_a_title_a_sentence_and_a_remedy(kind):
    # In some, the last words are sentences about one source.
    assert kind.title and kind.sentence.endswith((".", "{what}")) and kind.remedy
    names = {
        name for text in (kind.sentence, kind.remedy) for _, name, _, _ in string.Formatter().parse(text)
    }
    assert all(name is None or name.isidentifier() for name in names)


def test_a_row_of_another_version_can_be_read(either_house):
    with either_house.runtime.session() as session:
        now = either_house.clock()
        session.add(Notice(kind="unheard_of", subject="thing", detail={}, opened_at=now, seen_at=now))
        session.add(Notice(kind=KIND.key, subject="", detail={}, opened_at=now, seen_at=now))
        session.commit()

        said = [words(each).sentence for each in open_notices(session)]

    assert "Sign-ups that wait: unknown." in said[0]
    assert said[1] == "unheard_of thing"
