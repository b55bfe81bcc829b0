"""The sweep's part for returned mail: complaints pause an issue, and the next one waits for an approval."""

from __future__ import annotations

from bounces.rules.test_alarms import an_issue
from house import make_house, make_settings
from scheduled import Scheduled

from newsletter.bounces.reports.take_events import TopicState, note_topic
from newsletter.models import NewsletterCalendar, Notice
from newsletter.notices import words
from newsletter.service.returned_mail import follow_up


def test_complaints_let_the_next_issue_wait_and_the_notice_says_so(either_house):
    one = Scheduled(either_house)
    one.start("2026-03-09 12:00")
    an_issue(one.house, 1_000, complaints=5)

    follow_up(one.house.runtime)

    (row,) = one.house.all(NewsletterCalendar)
    (notice,) = one.house.all(Notice)
    assert row.approve_next
    assert "next issue waits for an approval" in words(notice).sentence
    assert "newsletter bounce go-on" in words(notice).remedy


def test_the_rates_are_compared_once_a_minute(either_house):
    follow_up(either_house.runtime)
    an_issue(either_house, 1_000, complaints=5)

    follow_up(either_house.runtime)
    assert either_house.all(Notice) == []
    either_house.clock.pass_(minutes=1)
    follow_up(either_house.runtime)

    assert [each.kind for each in either_house.all(Notice)] == ["complaints_high"]


def test_a_notice_about_a_topic_closes_when_the_topic_is_out_of_the_settings(house, tmp_path):
    topic = "arn:aws:sns:eu-west-1:123456789012:returned-mail"
    at = house.clock()
    with house.runtime.session() as session:
        note_topic(session, TopicState(topic, posts=False, at=at), at)
        session.commit()

    follow_up(make_house(make_settings(tmp_path, webhook_ses_topics=topic)).runtime)
    assert [each.settled_at for each in house.all(Notice)] == [None]
    house.clock.pass_(minutes=1)
    follow_up(house.runtime)

    assert [each.settled_at for each in house.all(Notice)] == [house.clock()]
