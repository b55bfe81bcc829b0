"""Rules are tried against stored releases, and changing them emails nothing that was stored before."""

from __future__ import annotations

import pytest
from house import House, correct_release, public_id

from newsletter.errors import FieldsInvalid, StateConflict
from newsletter.models import AuditEntry, Release, ReleaseTopic
from newsletter.releases.from_sources.backlog import send_after_all
from newsletter.releases.rules.edit import Trial, set_rules, try_rules
from newsletter.releases.rules.text import read_rules, write_rules
from newsletter.releases.topics.choose import choose_topics
from newsletter.releases.topics.manage import find_topic, rule_set_of


def save(house: House, text: str, *, existing: bool = False) -> int:
    with house.runtime.session() as session:
        added = set_rules(session, "sea", read_rules(text), actor="ann", now=house.clock(), existing=existing)
        session.commit()
        return added


def attempt(house: House, text: str) -> Trial:
    with house.runtime.reading() as session:
        return try_rules(session, "sea", read_rules(text))


def pairs(house: House) -> dict[str, int | None]:
    """Return the sequence of each release under the topic, by title."""
    with house.runtime.reading() as session:
        rows = session.query(Release.title, ReleaseTopic.sequence).join(
            Release, Release.id == ReleaseTopic.release_id
        )
        return dict(rows.all())


def test_a_trial_says_what_is_new_what_drops_out_and_what_was_chosen_by_hand(either_house: House):
    house = either_house
    house.topic("sea")
    for title in ("A sea wave", "A sea calm", "A river wave", "A lake"):
        house.release(title)
    with house.runtime.session() as session:
        calm = session.query(Release).filter_by(title="A sea calm").one()
        choose_topics(session, calm, [], "ann", house.clock())
        session.commit()

    trial = attempt(house, "any of\nwords: wave\nwords: calm")

    assert (trial.tried, trial.matches, trial.by_hand, trial.gains, trial.losses) == (4, 3, 1, 1, 0)
    assert [title for _, title in trial.gained] == ["A river wave"]
    assert [title for _, title in attempt(house, "any of\nwords: lake").lost] == ["A sea wave"]
    assert pairs(house) == {"A sea wave": 1}


def test_stored_releases_come_under_the_topic_without_an_email(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("sea"), name="ann")
    house.release("A sea wave")
    river = house.release("A river wave")

    assert save(house, "any of\nwords: wave", existing=True) == 1
    assert pairs(house) == {"A sea wave": 1, "A river wave": None}
    house.send()
    assert len(house.transport.sent) == 1
    with pytest.raises(StateConflict, match="No release waits"):
        house.send()
    with house.runtime.session() as session:
        send_after_all(session, public_id(house, river), "ann", house.clock())
        session.commit()
    house.send()

    assert house.releases_sent(1)[-1] == river


def test_a_correction_does_not_apply_a_rule_that_is_newer_than_the_release(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("sea"), name="ann")
    old, fresh = house.release("A river wave"), house.release("A lake")
    save(house, "any of\nwords: wave")

    correct_release(house, old, "A river wave at noon")
    correct_release(house, fresh, "A wave on the lake")

    assert pairs(house) == {"A wave on the lake": 1}


def test_groups_are_stored_and_a_change_is_in_the_audit_log_once(either_house: House):
    house = either_house
    house.topic("sea")
    text = "all of\nwords: wave\nany of\n  language: en\n  not tag: sport"

    save(house, text)
    save(house, text)

    with house.runtime.reading() as session:
        assert write_rules(rule_set_of(find_topic(session, "sea"))) == text
        (entry,) = session.query(AuditEntry).filter_by(action="topic.rules")
        assert entry.detail == {"before": "any of\nwords: sea", "after": text}


def test_a_source_that_does_not_exist_is_refused(house: House):
    house.topic("sea")

    with pytest.raises(FieldsInvalid) as fault:
        save(house, "any of\nsource: nothing")

    assert "no source nothing" in fault.value.faults["rules"]
