"""Storing releases: once each, with their topics, and with sequences in the order they became ready."""

from __future__ import annotations

from dataclasses import replace

import pytest
from house import NOON, House

from newsletter.errors import FieldsInvalid, InputError, NotFound
from newsletter.ingest.press.parse import PressRelease
from newsletter.models import AuditEntry, Release, ReleaseState, ReleaseTopic, RuleField
from newsletter.releases.editing.edit import ReleaseAction, change_release
from newsletter.releases.store import add_release
from newsletter.releases.topics.manage import add_topic, change_rules

PRESS = PressRelease("An energy cable", "Northern Grid", NOON.date(), "en", ("The cable opens.", "- a\n- b"))


def test_the_same_text_twice_is_one_release(either_house: House):
    either_house.topic("energy")
    with either_house.runtime.session() as session:
        first, is_new = add_release(session, PRESS, now=NOON)
        again, is_new_again = add_release(session, replace(PRESS, title="AN ENERGY  CABLE"), now=NOON)

        assert (is_new, is_new_again) == (True, False)
        assert first is again


def test_a_release_falls_under_matching_and_under_named_topics(house: House):
    energy, ports = house.topic("energy"), house.topic("ports")
    with house.runtime.session() as session:
        release, _ = add_release(session, PRESS, now=NOON, topics=["ports"])

        assert [link.topic_id for link in release.topic_links] == [energy, ports]
        assert [link.sequence for link in release.topic_links] == [1, 2]


def test_a_topic_that_does_not_exist_is_an_error(house: House):
    with house.runtime.session() as session, pytest.raises(NotFound, match="no topic sports"):
        add_release(session, PRESS, now=NOON, topics=["sports"])


def test_a_duplicate_gets_the_topics_named_later(either_house: House):
    energy, ports = either_house.topic("energy"), either_house.topic("ports")
    with either_house.runtime.session() as session:
        add_release(session, PRESS, now=NOON)
        session.commit()
    with either_house.runtime.session() as session:
        for _ in range(2):
            release, is_new = add_release(session, PRESS, now=NOON, topics=["ports"])
            session.commit()

        assert not is_new
        assert {link.topic_id: link.sequence for link in release.topic_links} == {energy: 1, ports: 2}


def test_a_topic_added_to_a_held_release_counts_when_it_becomes_ready(house: House):
    house.topic("energy")
    ports = house.topic("ports")
    with house.runtime.session() as session:
        release, _ = add_release(session, PRESS, now=NOON)
        session.commit()
        change_release(session, release.public_id, ReleaseAction.HOLD, "ed", NOON)
        add_release(session, PRESS, now=NOON, topics=["ports"])
        change_release(session, release.public_id, ReleaseAction.READY, "ed", NOON)
        session.commit()

    assert {link.topic_id for link in house.all(ReleaseTopic) if link.sequence} >= {ports}


def test_a_topic_that_does_not_exist_is_an_error_for_a_known_release_too(house: House):
    with house.runtime.session() as session, pytest.raises(NotFound, match="no topic sports"):
        add_release(session, PRESS, now=NOON)
        add_release(session, PRESS, now=NOON, topics=["sports"])


def test_a_held_release_gets_its_sequence_when_it_becomes_ready(house: House):
    house.topic("energy")
    held = house.release("Energy secret", state=ReleaseState.HELD)
    house.release("Energy prices")
    with house.runtime.session() as session:
        public_id = session.get_one(Release, held).public_id
        change_release(session, public_id, ReleaseAction.READY, "ed", NOON)
        session.commit()

    sequences = {link.release_id: link.sequence for link in house.all(ReleaseTopic)}
    assert sequences[held] == 2


def test_a_repeated_action_changes_nothing_and_has_no_audit_entry(house: House):
    house.topic("energy")
    house.release("Energy prices")
    public_id = house.all(Release)[0].public_id
    with house.runtime.session() as session:
        for _ in range(2):
            change_release(session, public_id, ReleaseAction.PIN, "ed", NOON)
        change_release(session, public_id, ReleaseAction.READY, "ed", NOON)
        session.commit()

    assert [entry.action for entry in house.all(AuditEntry)[1:]] == ["release.pin"]
    assert [link.sequence for link in house.all(ReleaseTopic)] == [1]


def test_a_changed_rule_applies_only_to_later_releases(house: House):
    energy = house.topic("energy")
    old = house.release("All ports get a quay")
    with house.runtime.session() as session:
        change_rules(session, "energy", [(RuleField.WORDS, "quay")], actor="test", now=house.clock())
        session.commit()
    new = house.release("Another quay for ports")

    links = {(link.release_id, link.topic_id) for link in house.all(ReleaseTopic)}
    assert (new, energy) in links
    assert (old, energy) not in links


@pytest.mark.parametrize("slug", ["", "Energy", "energy news", "-energy", "energy/", "é"])
def test_a_slug_is_lower_case_words(house: House, slug: str):
    with house.runtime.session() as session, pytest.raises(InputError):
        add_topic(session, slug=slug, name="Energy", actor="test", now=NOON)


def test_a_slug_is_taken_once(house: House):
    house.topic("energy")
    with house.runtime.session() as session, pytest.raises(FieldsInvalid, match="already a topic energy"):
        add_topic(session, slug="energy", name="Energy again", actor="test", now=NOON)
