"""`newsletter subscriber` and `newsletter consent`: show, check, erase, suppress."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from house import House, make_house, make_settings, make_upgraded
from sqlalchemy import select

from newsletter.cli import main
from newsletter.mail.addresses import parse_address
from newsletter.models import AuditEntry, Frequency, Subscriber, Subscription, Suppression
from newsletter.subscribers.consent.wording import current_wording
from newsletter.subscribers.signup.confirm import confirm
from newsletter.subscribers.signup.request import Signup, request_signups
from newsletter.subscribers.signup.resolve import resolve_signups
from newsletter.tokens import Purpose

ANN = "ann@example.org"
ENV = (
    "NEWSLETTER_PUBLIC_URL=https://news.example.org\n"
    "NEWSLETTER_SECRET_KEYS=a-key-for-tests-that-is-long-enough-to-be-one\n"
    "NEWSLETTER_FROM_ADDRESS=letter@example.org\n"
    'NEWSLETTER_POSTAL_ADDRESS="Harbour Road 1, 1000 Town"\n'
    "NEWSLETTER_RELAY=smtp://127.0.0.1:9\n"
)


@pytest.fixture
def place(tmp_path: Path) -> House:
    """An installation made by migrations, with one subscriber."""
    make_upgraded(f"sqlite:///{tmp_path / 'newsletter.sqlite3'}")
    (tmp_path / "settings.env").touch(0o600)  # else each command warns
    (tmp_path / "settings.env").write_text(f"{ENV}NEWSLETTER_DATA_DIR={tmp_path}\n")
    (tmp_path / "settings.env").chmod(0o600)
    house = make_house(make_settings(tmp_path))
    house.topic("energy")
    tokens, now = house.runtime.tokens, house.clock()
    with house.runtime.session() as session:
        asked = Signup(
            address=parse_address(ANN),
            choices={"energy": Frequency.DAILY},
            wording=current_wording(),
            ip_address="192.0.2.0",
        )
        request_signups(session, [asked], now)
        resolve_signups(session, tokens, now)
        subscriber = session.scalars(select(Subscriber)).one()
        row = session.scalars(select(Subscription)).one()
        payload = [subscriber.public_id, tokens.fingerprint(ANN), row.id]
        confirm(session, tokens, tokens.make(Purpose.CONFIRM, payload, now), now, ip_address="192.0.2.0")
        session.commit()
    yield house
    house.runtime.engine.dispose()


def run(house: House, *words: str, answer: str | None = None) -> Result:
    env_file = house.runtime.settings.data_dir / "settings.env"
    return CliRunner().invoke(main, ["--env-file", str(env_file), *words], input=answer)


def test_a_subscriber_is_shown_by_address_and_by_id(place):
    shown = run(place, "subscriber", "show", "Ann@Example.org")
    (subscriber,) = place.all(Subscriber)

    assert "energy: daily, active" in shown.output
    assert "may be emailed" in shown.output
    assert run(place, "subscriber", "show", subscriber.public_id).output == shown.output
    data = json.loads(run(place, "subscriber", "show", ANN, "--json").output)
    assert data["profile"]["address"] == ANN


def test_the_languages_of_releases_are_shown(place):
    with place.runtime.session() as session:
        session.query(Subscriber).one().release_languages = "de,en"
        session.commit()

    assert "languages of releases: de, en" in run(place, "subscriber", "show", ANN).output
    data = json.loads(run(place, "subscriber", "show", ANN, "--json").output)
    assert data["profile"]["release_languages"] == ["de", "en"]


def test_consent_is_shown_for_people(place):
    shown = run(place, "subscriber", "consent", ANN).output

    assert "2026-03-10 12:00:00 UTC  Asked to receive the newsletter on the sign-up page" in shown
    assert "Confirmed by the link in an email to them" in shown
    assert "I can unsubscribe at any time" in shown


def test_a_signed_record_is_checked_here_and_elsewhere(place, tmp_path):
    signed = tmp_path / "ann.json"
    signed.write_text(run(place, "subscriber", "consent", ANN, "--json").output)
    key = tmp_path / "key.pem"
    key.write_text(run(place, "consent", "key").output)

    here = run(place, "consent", "verify", str(signed))
    without_settings = ["--env-file", "", "consent", "verify", "--key", str(key), str(signed)]
    elsewhere = CliRunner().invoke(main, without_settings)

    assert (here.exit_code, elsewhere.exit_code) == (0, 0)
    assert here.output == elsewhere.output
    assert here.output.endswith("The signature is good.\n")


def test_a_record_that_was_changed_is_refused(place, tmp_path):
    signed = tmp_path / "ann.json"
    record = run(place, "subscriber", "consent", ANN, "--json").output
    signed.write_text(record.replace('"act": "asked"', '"act": "left"'))

    refused = run(place, "consent", "verify", str(signed))

    assert refused.exit_code == 1
    assert "The record was changed after it was signed." in refused.output


def test_erasing_asks_first(place):
    refused = run(place, "subscriber", "erase", ANN, answer="n\n")

    assert refused.exit_code == 1
    assert [each.email for each in place.all(Subscriber)] == [ANN]


def test_erasing_leaves_a_hash_that_show_knows_and_the_log_says_who(place):
    done = run(place, "subscriber", "erase", ANN, "--yes")

    assert done.exit_code == 0, done.output
    assert [each.email for each in place.all(Subscriber)] == [None]
    assert "not emailed: erased" in run(place, "subscriber", "show", ANN).output
    entry = place.all(AuditEntry)[-1]
    assert (entry.actor, entry.action) == ("command line", "reader.erase")
    again = run(place, "subscriber", "erase", ANN, "--yes")
    assert again.exit_code == 1
    assert "is not a subscriber" in again.output


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--why", " ")])
def test_an_erased_address_is_let_go_only_with_a_reason(place, options):
    run(place, "subscriber", "erase", ANN, "--yes")

    refused = run(place, "subscriber", "unsuppress", ANN, *options)

    assert refused.exit_code == 1
    assert "was erased" in refused.output
    assert f"unsuppress {ANN} --why" in refused.output
    assert len(place.all(Suppression)) == 1
    assert "may be emailed" in run(place, "subscriber", "unsuppress", ANN, "--why", "asked").output
    assert place.all(AuditEntry)[-1].detail == {"reason": "erased", "why": "asked"}


def test_a_rule_that_stops_an_address_is_named_wherever_it_is_asked_about(place):
    remove = "newsletter domain remove '*.example'"
    run(place, "domain", "add", "*.example", "never-mailed", "--yes")
    known, new = "ann@post.example", "new@post.example"
    with place.runtime.session() as session:
        session.query(Subscriber).one().email = session.query(Subscriber).one().email_key = known
        session.commit()
    run(place, "subscriber", "suppress", new)

    for address in (known, new):
        shown = run(place, "subscriber", "show", address).output
        assert remove in shown
        assert "may be emailed" not in shown
        assert json.loads(run(place, "subscriber", "show", address, "--json").output)["stopped_by"] == [
            "*.example"
        ]
    lifted = run(place, "subscriber", "unsuppress", new).output

    assert "is no longer suppressed" in lifted
    assert remove in lifted
    assert "may be emailed" not in lifted


def test_a_person_without_an_address_is_not_called_emailed(place):
    (public_id,) = [each.public_id for each in place.all(Subscriber)]
    run(place, "subscriber", "erase", ANN, "--yes")
    run(place, "subscriber", "unsuppress", ANN, "--why", "asked")

    assert "not emailed: there is no address" in run(place, "subscriber", "show", public_id).output


def test_erasing_by_id_asks_with_the_address(place):
    (public_id,) = [each.public_id for each in place.all(Subscriber)]

    assert f"Erase {ANN} for good?" in run(place, "subscriber", "erase", public_id, answer="n\n").output


def test_an_address_is_suppressed_and_let_go(place):
    assert "gets no more email" in run(place, "subscriber", "suppress", "other@example.org").output
    assert "already" in run(place, "subscriber", "suppress", "OTHER@example.org").output
    assert len(place.all(Suppression)) == 1
    assert "may be emailed again" in run(place, "subscriber", "unsuppress", "other@example.org").output
    assert "was not suppressed" in run(place, "subscriber", "unsuppress", "other@example.org").output
    assert place.all(Suppression) == []


def test_what_is_no_address_is_refused_in_words(place):
    for command in ("suppress", "unsuppress"):
        refused = run(place, "subscriber", command, "nonsense")
        assert refused.exit_code == 1
        assert "contains an @" in refused.output
