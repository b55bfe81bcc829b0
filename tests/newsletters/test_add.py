"""A newsletter is added beside the first, with its own slug, name and sender."""

from __future__ import annotations

import pytest
from house import House
from sqlalchemy import select

from newsletter.errors import FieldsInvalid
from newsletter.identity import Identity, Texts, load_identity
from newsletter.models import AuditEntry, Frequency, Newsletter
from newsletter.newsletters.add import add_newsletter

HARBOUR = {"name": "Harbour News", "from_address": "desk@harbour.example"}


def add(house: House, slug: str = "harbour", **fields: str) -> Identity:
    with house.runtime.session() as session:
        made = add_newsletter(
            session,
            house.runtime.settings,
            slug=slug,
            fields={**HARBOUR, **fields},
            actor="ann",
            now=house.clock(),
        )
        session.commit()
        return load_identity(session, house.runtime.settings, made.id)


def faults(house: House, slug: str = "harbour", **fields: str) -> dict[str, str]:
    with pytest.raises(FieldsInvalid) as raised:
        add(house, slug, **fields)
    return raised.value.faults


def test_a_newsletter_has_what_is_given_and_the_place_of_the_first(either_house):
    settings = either_house.runtime.settings

    made = add(either_house, consent="Send me harbour news.", default_frequency="daily")

    assert (made.slug, made.name, made.from_address) == ("harbour", "Harbour News", "desk@harbour.example")
    assert (made.sender_name, made.reply_to, made.default_frequency) == (
        "Harbour News",
        None,
        Frequency.DAILY,
    )
    assert made.texts["en"].consent == "Send me harbour news."
    assert (made.postal_address, made.languages) == (settings.postal_address, settings.languages)
    assert (made.version, made.position) == (1, 1)


def test_its_texts_are_in_its_own_first_language(house):
    made = add(house, name="Uosto naujienos", tagline="Naujienos iš uosto", languages="lt, en")

    assert made.texts == {"lt": Texts("Uosto naujienos", "Naujienos iš uosto")}


def test_the_first_newsletter_gets_its_content_before(house):
    add(house)

    assert [(each.slug, each.version) for each in house.all(Newsletter)] == [("news", 1), ("harbour", 1)]


def test_name_and_sender_are_needed_and_every_fault_is_told(house):
    found = faults(house, "New", name="", from_address="", time_zone="Mars", default_frequency="hourly")

    assert set(found) == {"slug", "name", "from_address", "time_zone", "default_frequency"}
    assert len(house.all(Newsletter)) == 1


def test_a_taken_slug_and_a_taken_sender_are_refused(house):
    add(house)

    assert set(faults(house, name="Other", from_address="other@harbour.example")) == {"slug"}
    assert set(faults(house, "port", from_address="Desk@harbour.example")) == {"from_address"}
    assert add(house, "port", from_name="Port desk").position == 2


def test_adding_is_in_the_audit_log(house):
    add(house)

    with house.runtime.reading() as session:
        (entry,) = session.scalars(select(AuditEntry)).all()
    assert (entry.actor, entry.action, entry.subject) == ("ann", "newsletter.add", "harbour")
