"""Each process notices an edit of the newsletter by itself, and needs no database for the name."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from house import House, make_house, make_settings

from newsletter.identity import Identities, Texts, identity_of_settings
from newsletter.models import FIRST_NEWSLETTER
from newsletter.newsletters.edit import edit_newsletter
from newsletter.runtime import Runtime


def edit(house: House, **given: str) -> None:
    """Edit the newsletter as another process does."""
    other = Runtime(house.runtime.settings, now=house.clock)
    with other.session() as session:
        edit_newsletter(session, other.settings, given, actor="test", now=house.clock())
        session.commit()
    other.engine.dispose()


def sent(house: House) -> list[EmailMessage]:
    return [message_from_bytes(each.content, policy=policy.default) for each in house.transport.sent]


def test_the_next_batch_has_the_new_sender_and_an_open_issue_keeps_its_look(house):
    energy = house.topic("energy")
    house.add_subscriber(energy, name="ann")
    house.release("A new energy cable")
    house.send()
    house.release("More energy")
    house.open()

    edit(house, from_address="letters@harbour.example", name="Harbour News", reply_to="desk@harbour.example")
    house.drain()

    before, after = sent(house)
    assert before["From"] == "The Release Letter <letter@example.org>"
    assert after["From"] == "Harbour News <letters@harbour.example>"
    assert after["Reply-To"] == "desk@harbour.example"
    assert after["Message-ID"].endswith("@harbour.example>")
    assert house.transport.sent[-1].envelope.return_path.endswith("@harbour.example")
    assert "The Release Letter" in after.get_body(("plain",)).get_content()


def test_the_next_issue_has_the_new_look(house):
    energy = house.topic("energy")
    house.add_subscriber(energy, name="ann")
    house.release("A new energy cable")

    edit(house, name="Harbour News", postal_address="Quay 7, Halmstrand")
    house.send()

    text = sent(house)[-1].get_body(("plain",)).get_content()
    assert "Harbour News" in text
    assert "Quay 7, Halmstrand" in text
    assert "The Release Letter" not in text


def test_the_relay_follows_an_edit_of_the_sender(tmp_path):
    house = make_house(make_settings(tmp_path, relays="harbour.example=smtp://harbour.example"))
    assert house.runtime.sender(FIRST_NEWSLETTER).relay.host == "127.0.0.1"

    edit(house, from_address="letters@harbour.example", time_zone="Europe/Vilnius")
    with house.runtime.reading() as session:
        house.runtime.messages.refresh(session)
        sender = house.runtime.messages.senders.of(session, FIRST_NEWSLETTER)

    assert sender.relay.host == "harbour.example"
    assert sender.zone.key == "Europe/Vilnius"
    house.runtime.engine.dispose()


def test_without_a_database_the_newsletter_is_what_the_settings_say(tmp_path):
    settings = make_settings(tmp_path / "missing")
    identities = Identities(settings)

    found = identities.recent(Runtime(settings).reading)

    assert found == identity_of_settings(settings)
    assert found.newsletter_id == FIRST_NEWSLETTER


def test_what_was_read_is_kept_while_the_database_does_not_answer(house, tmp_path):
    edit(house, name="Harbour News")
    seconds = iter(range(0, 100, 10))
    identities = Identities(house.runtime.settings, elapsed=lambda: next(seconds))
    identities.recent(house.runtime.reading)
    missing = Runtime(make_settings(tmp_path / "missing"))

    assert identities.recent(missing.reading).name == "Harbour News"


def test_pages_read_an_edit_again_after_a_second(house):
    now = 0.0
    identities = Identities(house.runtime.settings, elapsed=lambda: now)
    edit(house, name="Harbour News")
    identities.recent(house.runtime.reading)
    edit(house, name="Quay News")

    assert identities.recent(house.runtime.reading).name == "Harbour News"
    now = 1.0
    assert identities.recent(house.runtime.reading).name == "Quay News"


def test_a_language_without_texts_has_the_name_and_no_tagline_in_another_language():
    usual = identity_of_settings(make_settings(Path()))
    texts = {"en": Texts("Harbour News", "All about the port."), "de": Texts("Hafen", "Alles zum Hafen.")}
    identity = replace(usual, languages=("en", "de", "fr"), texts=texts)

    assert identity.texts_in("de") == texts["de"]
    assert identity.texts_in("fr") == Texts("Harbour News", "")


def test_the_default_tagline_is_translated():
    identity = identity_of_settings(make_settings(Path()))

    assert "Themen Ihrer Wahl" in identity.texts_in("de").tagline
