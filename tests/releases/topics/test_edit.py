"""Topics have names and descriptions for each language, and stand in named groups."""

from __future__ import annotations

import pytest
from house import House
from sqlalchemy import select

from newsletter.errors import FieldsInvalid, NotFound
from newsletter.identity import Identity
from newsletter.models import FIRST_NEWSLETTER, AuditEntry, Frequency, Subscriber, Topic
from newsletter.newsletters.add import add_newsletter
from newsletter.releases.topics.edit import add_group, edit_group, edit_topic, list_groups
from newsletter.subscribers.choices.preferences import make_preferences_token, read_preferences
from newsletter.subscribers.offered_topics import OfferedTopic, offered_topics


def first(house: House) -> Identity:
    with house.runtime.reading() as session:
        return house.runtime.identities.of(session, FIRST_NEWSLETTER)


def edit(house: House, slug: str, *, language: str = "", **given: str) -> list[str]:
    with house.runtime.session() as session:
        changed = edit_topic(
            session, first(house), slug, given, language=language, actor="ann", now=house.clock()
        )
        session.commit()
        return list(changed)


def group(house: House, slug: str, name: str) -> None:
    with house.runtime.session() as session:
        add_group(session, first(house), slug, name, actor="ann", now=house.clock())
        session.commit()


def rename_group(house: House, slug: str, *, language: str = "", **given: str) -> None:
    with house.runtime.session() as session:
        edit_group(session, first(house), slug, given, language=language, actor="ann", now=house.clock())
        session.commit()


def offered(house: House, language: str = "en") -> list[OfferedTopic]:
    with house.runtime.reading() as session:
        return [each.shown_in(language) for each in offered_topics(session)]


def test_a_topic_is_shown_in_the_language_of_the_page(either_house):
    either_house.topic("energy")

    edit(either_house, "energy", description="Power and gas")
    edit(either_house, "energy", language="de", name="Energie", description="Strom und Gas")
    edit(either_house, "energy", language="fr", name="Énergie")

    texts = {
        tag: (only.name, only.description)
        for tag in ("en", "de", "de-AT", "fr", "lt")
        for only in offered(either_house, tag)
    }
    assert texts == {
        "en": ("Energy", "Power and gas"),
        "de": ("Energie", "Strom und Gas"),
        "de-AT": ("Energie", "Strom und Gas"),
        "fr": ("Énergie", ""),
        "lt": ("Energy", "Power and gas"),
    }


def test_an_empty_name_removes_the_texts_of_a_language(house):
    house.topic("energy")
    edit(house, "energy", language="de", name="Energie")

    assert edit(house, "energy", language="de", name="") == ["name"]
    assert [each.name for each in offered(house, "de")] == ["Energy"]


def test_topics_are_listed_by_group_and_position(house):
    for slug in ("rail", "energy", "harbours", "news"):
        house.topic(slug)
    group(house, "traffic", "Traffic")
    group(house, "supply", "Supply")
    rename_group(house, "supply", language="de", name="Versorgung")
    rename_group(house, "traffic", position="9")

    edit(house, "rail", group="traffic", position="5")
    edit(house, "harbours", group="traffic")
    edit(house, "energy", group="supply")

    listed = [(each.group, each.slug) for each in offered(house, "de")]
    assert listed == [("", "news"), ("Versorgung", "energy"), ("Traffic", "harbours"), ("Traffic", "rail")]
    edit(house, "energy", group="")
    assert [each.slug for each in offered(house) if not each.group] == ["energy", "news"]


def test_what_is_wrong_is_told_by_field(house):
    house.topic("energy")

    with pytest.raises(FieldsInvalid) as raised:
        edit(
            house, "energy", language="ru", name="x" * 121, description="y" * 501, group="none", position="-1"
        )
    assert set(raised.value.faults) == {"language", "name", "description", "group", "position"}
    assert "There are: none yet." in raised.value.faults["group"]
    with pytest.raises(FieldsInvalid, match="1 to 120 characters"):
        edit(house, "energy", name=" ")
    with pytest.raises(NotFound):
        edit(house, "water", name="Water")


def test_a_group_belongs_to_one_newsletter(house):
    house.topic("energy")
    group(house, "supply", "Supply")
    with house.runtime.session() as session:
        fields = {"name": "Harbour News", "from_address": "desk@harbour.example"}
        settings, now = house.runtime.settings, house.clock()
        other = add_newsletter(session, settings, slug="harbour", fields=fields, actor="ann", now=now)
        second = house.runtime.identities.of(session, other.id)

        add_group(session, second, "supply", "Supplies", actor="ann", now=now)
        with pytest.raises(FieldsInvalid, match="already a group supply in the newsletter harbour"):
            add_group(session, second, "supply", "Again", actor="ann", now=now)
        with pytest.raises(NotFound):
            edit_topic(session, second, "energy", {"name": "X"}, actor="ann", now=now)

        assert [each.name for each in list_groups(session, other.id)] == ["Supplies"]
        assert [each.name for each in list_groups(session, FIRST_NEWSLETTER)] == ["Supply"]


def test_edits_are_in_the_audit_log(house):
    house.topic("energy")
    group(house, "supply", "Supply")

    edit(house, "energy", group="supply", name="Power")

    with house.runtime.reading() as session:
        entries = session.scalars(
            select(AuditEntry).where(AuditEntry.action != "topic.add").order_by(AuditEntry.id)
        ).all()
    assert [(each.action, each.subject) for each in entries] == [
        ("topic.group.add", "supply"),
        ("topic.edit", "energy"),
    ]
    assert entries[1].detail["fields"] == ["group", "name"]


def test_emails_and_preferences_name_topics_in_the_subscribers_language(house):
    energy = house.topic("energy")
    edit(house, "energy", language="de", name="Energie", description="Strom und Gas")
    group(house, "supply", "Supply")
    rename_group(house, "supply", language="de", name="Versorgung")
    edit(house, "energy", group="supply")
    for name, language in (("ann", "en"), ("uwe", "de")):
        subscriber = house.add_subscriber(energy, name=name)
        with house.runtime.session() as session:
            session.get_one(Subscriber, subscriber).language = language
            session.commit()
    house.release("A new energy cable")

    house.send(Frequency.WEEKLY)

    digests = {each.envelope.recipient: each.content.decode() for each in house.transport.sent}
    assert "<h2" in digests["uwe@example.org"]
    assert ">Energie</h2>" in digests["uwe@example.org"].replace("=\r\n", "")
    assert ">Energy</h2>" in digests["ann@example.org"].replace("=\r\n", "")
    with house.runtime.reading() as session:
        found = session.scalars(select(Subscriber).where(Subscriber.language == "de")).one()
        tokens, now = house.runtime.tokens, house.clock()
        token = make_preferences_token(tokens, found.public_id, found.email_key or "", now)
        (choice,) = read_preferences(session, tokens, token, now).choices
    assert (choice.name, choice.description, choice.group) == ("Energie", "Strom und Gas", "Versorgung")


def test_a_topic_of_an_earlier_version_has_its_name_in_every_language(house):
    house.topic("energy")

    with house.runtime.reading() as session:
        topic = session.scalars(select(Topic)).one()
        assert topic.translations is None
        assert (topic.name_in("de"), topic.description_in("de")) == ("Energy", "")
