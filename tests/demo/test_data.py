"""The demo's sample data and settings: a second start adds nothing."""

from __future__ import annotations

from dotenv import dotenv_values
from sqlalchemy import func, select

from newsletter.demo.data import TOPICS
from newsletter.demo.run import SETTINGS_FILE, banner, prepare_demo
from newsletter.models import AdminUser, Release, ReleaseTopic, Topic
from newsletter.runtime import Runtime
from newsletter.settings import load_settings


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
