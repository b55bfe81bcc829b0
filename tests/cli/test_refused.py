"""`newsletter bounce held | again | gone`, and `subscriber unsuppress` for many addresses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from house import House, make_house, make_settings, make_upgraded, suppress_people

from newsletter.cli import main
from newsletter.models import Issue, Suppression, SuppressionReason
from newsletter.smtp.replies import Reply

ENV = (
    "NEWSLETTER_PUBLIC_URL=https://news.example.org\n"
    "NEWSLETTER_SECRET_KEYS=a-key-for-tests-that-is-long-enough-to-be-one\n"
    "NEWSLETTER_FROM_ADDRESS=letter@example.org\n"
    'NEWSLETTER_POSTAL_ADDRESS="Harbour Road 1, 1000 Town"\n'
    "NEWSLETTER_RELAY=smtp://127.0.0.1:2525\n"
)


@pytest.fixture
def place(tmp_path: Path) -> House:
    """An installation whose relay refused all three subscribers."""
    make_upgraded(f"sqlite:///{tmp_path / 'newsletter.sqlite3'}")
    (tmp_path / "settings.env").touch(0o600)  # else each command warns
    (tmp_path / "settings.env").write_text(f"{ENV}NEWSLETTER_DATA_DIR={tmp_path}\n")
    house = make_house(make_settings(tmp_path))
    topic = house.topic("energy")
    for name in ("ann", "bob", "cat"):
        house.add_subscriber(topic, name=name)
        house.transport.answer(f"{name}@example.org", Reply(550, ("5.1.1 no such user",)))
    house.release("Energy")
    house.send()
    yield house
    house.runtime.engine.dispose()


def run(house: House, *words: str) -> Result:
    env_file = house.runtime.settings.data_dir / "settings.env"
    return CliRunner().invoke(main, ["--env-file", str(env_file), *words])


def held(house: House) -> dict[str, object]:
    return json.loads(run(house, "bounce", "held", "--json").output)


def test_what_waits_for_an_answer_is_listed_with_its_commands(place):
    told = run(place, "bounce", "held").output

    assert "The relay refused 3 emails" in told
    assert "bounce gone 1 --count 3" in told and "bounce again 1 --count 3" in told
    assert "ann@example.org" in run(place, "bounce", "held", "1").output


def test_they_are_sent_to_again(place):
    number = str(held(place)["id"])

    assert run(place, "bounce", "again", number, "--count", "2").exit_code == 1
    assert "3 emails are sent again" in run(place, "bounce", "again", number, "--count", "3").output
    # The command uses the real time.
    place.clock.moment = datetime.now(UTC) + timedelta(minutes=1)
    place.drain()

    assert len(place.recipients()) == 3
    assert "No refused address waits" in run(place, "bounce", "held").output


def test_they_are_really_gone_and_brought_back(place):
    number = str(held(place)["id"])

    assert "3 addresses get no more email" in run(place, "bounce", "gone", number, "--count", "3").output
    assert len(place.all(Suppression)) == 3

    (issue,) = place.all(Issue)
    look = run(place, "subscriber", "unsuppress", "--issue", issue.public_id, "--dry-run")
    assert "3 addresses would be" in look.output
    assert len(place.all(Suppression)) == 3
    assert "3 addresses may be" in run(place, "subscriber", "unsuppress", "--since", "2026-03-10").output
    assert place.all(Suppression) == []


def test_a_bulk_lifting_leaves_complaints_alone(place):
    with place.runtime.session() as session:
        tokens, now = place.runtime.tokens, place.clock()
        suppress_people(session, tokens, [1], SuppressionReason.COMPLAINT, now)
        suppress_people(session, tokens, [2], SuppressionReason.HARD_BOUNCE, now)
        session.commit()

    answer = json.loads(run(place, "subscriber", "unsuppress", "--until", "2030-01-01", "--json").output)

    assert answer == {"lifted": 1, "found": 1}
    assert [each.reason for each in place.all(Suppression)] == [SuppressionReason.COMPLAINT]


def test_a_bulk_lifting_can_name_one_kind_of_bounces(place):
    with place.runtime.session() as session:
        tokens, now = place.runtime.tokens, place.clock()
        suppress_people(session, tokens, [1], SuppressionReason.SOFT_BOUNCE, now)
        suppress_people(session, tokens, [2], SuppressionReason.HARD_BOUNCE, now)
        session.commit()

    run(place, "subscriber", "unsuppress", "--reason", "hard_bounce")
    assert [each.reason for each in place.all(Suppression)] == [SuppressionReason.SOFT_BOUNCE]
    run(place, "subscriber", "unsuppress", "--since", "2020-01-01")
    assert place.all(Suppression) == []


def test_an_address_and_a_choice_of_many_are_not_mixed(place):
    assert run(place, "subscriber", "unsuppress").exit_code == 2
    assert run(place, "subscriber", "unsuppress", "ann@example.org", "--since", "2026-03-10").exit_code == 2
