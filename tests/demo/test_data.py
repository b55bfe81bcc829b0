"""The demo's sample data and settings: a second start adds nothing."""

from __future__ import annotations

from dotenv import dotenv_values
from house import Clock
from sqlalchemy import func, select

from newsletter.clock import utcnow
from newsletter.demo.data import TOPICS
from newsletter.demo.run import SETTINGS_FILE, banner, prepare_demo
from newsletter.languages import LANGUAGES
from newsletter.mail.addresses import parse_address
from newsletter.models import (
    AdminUser,
    Frequency,
    Issue,
    NewsletterCalendar,
    Release,
    ReleaseTopic,
    Subscriber,
    Subscription,
    Topic,
)
from newsletter.runtime import Runtime
from newsletter.service.sending.prepare_issues import prepare_issues
from newsletter.settings import load_settings
from newsletter.subscribers.consent.wording import current_wording
from newsletter.subscribers.signup.confirm import confirm
from newsletter.subscribers.signup.request import Signup, request_signups
from newsletter.subscribers.signup.resolve import resolve_signups
from newsletter.tokens import Purpose


def counts(settings):
    runtime = Runtime(settings)
    with runtime.session() as session:
        found = {
            model.__name__: session.scalar(select(func.count()).select_from(model))
            for model in (Release, Topic, AdminUser)
        }
        found["topics of releases"] = session.scalar(
            select(func.count(ReleaseTopic.release_id.distinct())).where(ReleaseTopic.sequence.is_not(None))
        )
    runtime.engine.dispose()
    return found


def test_every_sample_falls_under_a_topic_and_can_be_emailed(tmp_path):
    demo = prepare_demo(tmp_path, 8000, 8025)

    assert counts(demo.settings) == {
        "Release": 12,
        "Topic": len(TOPICS),
        "AdminUser": 1,
        "topics of releases": 12,
    }


def test_every_topic_has_a_name_and_a_description_in_each_language():
    assert {topic.slug: sorted(topic.texts) for topic in TOPICS} == {
        topic.slug: sorted(LANGUAGES) for topic in TOPICS
    }


def test_a_second_start_keeps_the_data_and_the_keys_and_prints_no_second_password(tmp_path):
    first = prepare_demo(tmp_path, 8000, 8025)
    second = prepare_demo(tmp_path, 8001, 8026)

    assert counts(first.settings) == counts(second.settings)
    assert first.settings.secret_keys == second.settings.secret_keys
    assert second.settings.public_url == "http://127.0.0.1:8001"
    assert first.password in banner(first)
    assert second.password is None
    assert "account reset admin@localhost" in banner(second)


def test_the_settings_file_is_the_owners_alone_and_serves_the_other_commands(tmp_path):
    demo = prepare_demo(tmp_path, 8000, 8025)
    path = tmp_path / SETTINGS_FILE

    assert path.stat().st_mode & 0o077 == 0
    assert load_settings({}, path) == demo.settings
    assert dotenv_values(path)["NEWSLETTER_DEMO"] == "yes"


def test_settings_of_the_users_own_service_stay_out(tmp_path, monkeypatch):
    monkeypatch.setenv("NEWSLETTER_RELAY", "smtp://relay.example.org")

    demo = prepare_demo(tmp_path, 8000, 8025)

    assert demo.environ["NEWSLETTER_RELAY"] == "smtp://127.0.0.1:8025"


def test_a_subscriber_as_it_happens_gets_a_digest_by_itself(tmp_path):
    demo = prepare_demo(tmp_path, 8000, 8001)
    clock = Clock(utcnow())
    runtime = Runtime(demo.settings, now=clock)
    with runtime.session() as session:
        topics = {each.slug: Frequency.IMMEDIATE for each in session.query(Topic)}
        address = parse_address("anna@example.org")
        signup = Signup(address=address, choices=topics, wording=current_wording())
        request_signups(session, [signup], clock())
        resolve_signups(session, runtime.tokens, clock())
        anna = session.query(Subscriber).one()
        upto = session.query(Subscription.id).order_by(Subscription.id.desc()).first()[0]
        payload = [anna.public_id, runtime.tokens.fingerprint(anna.email_key), upto]
        token = runtime.tokens.make(Purpose.CONFIRM, payload, clock())
        confirm(session, runtime.tokens, token, clock(), welcome_releases=3)
        session.commit()

    prepare_issues(runtime, lambda: False)
    clock.pass_(seconds=59)
    prepare_issues(runtime, lambda: False)
    with runtime.reading() as session:
        assert session.query(Issue).count() == 0
    clock.pass_(seconds=2)
    prepare_issues(runtime, lambda: False)

    with runtime.reading() as session:
        assert session.query(Issue).one().frequencies == ["immediate"]
    runtime.engine.dispose()


def test_the_demo_keeps_a_schedule_that_was_stopped(tmp_path):
    demo = prepare_demo(tmp_path, 8000, 8001)
    runtime = Runtime(demo.settings)
    with runtime.session() as session:
        session.query(NewsletterCalendar).one().is_on = False
        session.commit()

    prepare_demo(tmp_path, 8000, 8001)

    with runtime.reading() as session:
        assert not session.query(NewsletterCalendar).one().is_on
    runtime.engine.dispose()
