"""A correction notice reaches those who have an earlier text, once, whatever happens meanwhile."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from half_sent import deliver_leased, half_sent, send_the_rest, the_wave
from house import House, correct_release, edit_release, public_id, unsubscribe_from_topic
from sqlalchemy import update

from newsletter.errors import StateConflict
from newsletter.models import CorrectionNotice, Delivery, Lane, Release, Subscriber, Topic
from newsletter.outbox.lease import claim
from newsletter.releases.correction_notice.send import ask_notice, enqueue_next
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.editing.embargo import lift_embargo, set_embargo
from newsletter.service.sending.correction_notices import enqueue_notices


def ask(house: House, release: int, **more: object) -> int:
    with house.runtime.session() as session:
        notice = ask_notice(
            session, public_id(house, release), actor="ed@example.org", now=house.clock(), **more
        )
        session.commit()
        return notice.id


def notices(house: House) -> list[EmailMessage]:
    """Enqueue and send what can be sent; return the notices that arrived so far."""
    while enqueue_notices(house.runtime):
        house.drain("single")
    house.drain("single")
    sent = [message_from_bytes(each.content, policy=policy.SMTP) for each in house.transport.sent]
    return [each for each in sent if each["Subject"].startswith(("Correction: ", "Berichtigung: "))]


def recipients(house: House) -> list[str]:
    return sorted(each["To"] for each in notices(house))


def is_finished(house: House) -> bool:
    with house.runtime.reading() as session:
        return session.query(CorrectionNotice).one().finished_at is not None


def embargo(house: House, release: int) -> None:
    with house.runtime.session() as session:
        until = house.clock() + timedelta(days=1)
        set_embargo(session, public_id(house, release), until, "test", house.clock())
        session.commit()


def lift(house: House, release: int) -> None:
    with house.runtime.session() as session:
        lift_embargo(session, public_id(house, release), "test", house.clock())
        session.commit()


def test_who_had_the_old_text_is_told_once_and_the_rest_get_the_new_text(either_house: House):
    house = either_house
    _, leased = half_sent(house)
    wave = the_wave(house)
    correct_release(house, wave, "A sea storm")
    ask(house, wave)

    assert recipients(house) == ["eva@example.org", "ida@example.org"]
    assert not is_finished(house)  # two digests with the old text are leased
    deliver_leased(house, leased[:1])
    send_the_rest(house, leased[1:])

    assert recipients(house) == ["ann@example.org", "eva@example.org", "ida@example.org"]
    assert is_finished(house)
    assert len(house.transport.sent) == 5 + 3  # one of the six digests was recorded without the transport


@pytest.mark.parametrize(
    ("hide", "show"),
    [
        (embargo, lift),
        (
            lambda house, wave: edit_release(house, wave, ReleaseAction.HOLD),
            lambda house, wave: edit_release(house, wave, ReleaseAction.READY),
        ),
    ],
)
def test_a_notice_waits_while_its_release_is_held(either_house: House, hide, show):
    house = either_house
    _, leased = half_sent(house)
    wave = the_wave(house)
    correct_release(house, wave, "A sea storm")
    ask(house, wave)
    enqueue_notices(house.runtime)
    hide(house, wave)
    deliver_leased(house, leased)

    assert recipients(house) == []
    show(house, wave)

    assert len(recipients(house)) == 4
    assert is_finished(house)


def test_a_notice_of_an_excluded_release_is_not_sent(either_house: House):
    house = either_house
    _, leased = half_sent(house)
    wave = the_wave(house)
    correct_release(house, wave, "A sea storm")
    ask(house, wave)
    enqueue_notices(house.runtime)

    edit_release(house, wave, ReleaseAction.EXCLUDE)
    deliver_leased(house, leased)

    assert recipients(house) == []
    assert is_finished(house)
    assert house.states()[-2:] == ["skipped", "skipped"]


def test_a_release_that_is_held_is_not_told_of_just_before_it_is_offered(house: House):
    half_sent(house)
    wave = the_wave(house)
    correct_release(house, wave, "A sea storm")
    ask(house, wave)
    enqueue_notices(house.runtime)
    with house.runtime.session() as session:
        claimed = claim(session, Lane.SINGLE, None, "third", 10, house.clock())
        session.commit()

    edit_release(house, wave, ReleaseAction.HOLD)

    from newsletter.outbox.lease import still_wanted

    with house.runtime.reading() as session:
        assert len(claimed) == 2
        assert still_wanted(session, [], claimed, "third") == set()


def test_a_notice_has_the_differences_in_the_language_of_the_subscriber(either_house: House):
    house = either_house
    half_sent(house)
    wave = the_wave(house)
    with house.runtime.session() as session:
        session.execute(update(Subscriber).where(Subscriber.email == "ida@example.org").values(language="de"))
        session.commit()
    correct_release(house, wave, "A sea storm", body_text="It closes on Monday.")
    ask(house, wave)

    english, german = sorted(notices(house), key=lambda each: each["To"])

    assert english["Subject"] == "Correction: A sea storm"
    assert german["Subject"] == "Berichtigung: A sea storm"
    text = english.get_body(("plain",)).get_content()
    assert "Before:\r\n  A sea wave" in text.replace("\n", "\r\n").replace("\r\r", "\r")
    html = english.get_body(("html",)).get_content()
    assert "wave</del>" in html
    assert "storm</ins>" in html
    assert "Was geändert wurde" in german.get_body(("html",)).get_content()
    assert english["List-Unsubscribe"]
    assert english["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_notice_with_a_sentence_has_no_differences(house: House):
    half_sent(house)
    wave = the_wave(house)
    correct_release(house, wave, "A sea storm")
    ask(house, wave, sentence="We mixed up <two> winds.")

    html = notices(house)[0].get_body(("html",)).get_content()

    assert "We mixed up &lt;two&gt; winds." in html
    assert "</del>" not in html


@pytest.mark.parametrize("leave", ["unsubscribe", "pause"])
def test_who_leaves_or_pauses_after_it_was_enqueued_is_not_told(either_house: House, leave: str):
    house = either_house
    half_sent(house)
    wave = the_wave(house)
    correct_release(house, wave, "A sea storm")
    ask(house, wave)
    enqueue_notices(house.runtime)
    with house.runtime.session() as session:
        eva = session.query(Subscriber).filter(Subscriber.email == "eva@example.org").one()
        (sea,) = session.query(Topic.id).one()
        number = eva.id
        if leave == "pause":
            eva.snoozed_until = house.clock().replace(year=2030)
        session.commit()
    if leave == "unsubscribe":
        unsubscribe_from_topic(house, number, sea)

    assert recipients(house) == ["ida@example.org"]


def test_a_notice_is_sent_once_for_a_revision_and_a_later_revision_has_its_own(house: House):
    half_sent(house)
    wave = the_wave(house)
    correct_release(house, wave, "A sea storm")
    ask(house, wave)
    notices(house)
    with pytest.raises(StateConflict, match="already"):
        ask(house, wave)

    correct_release(house, wave, "A sea gale")
    ask(house, wave)

    assert [each["Subject"] for each in notices(house)] == ["Correction: A sea storm"] * 2 + [
        "Correction: A sea gale"
    ] * 2


def test_a_notice_is_refused_if_it_can_reach_nobody_or_the_release_is_not_public(house: House):
    half_sent(house)
    wave = the_wave(house)
    with pytest.raises(StateConflict, match="Nobody"):
        ask(house, wave)
    correct_release(house, wave, "A sea storm")
    with pytest.raises(StateConflict, match="Load the page again"):
        ask(house, wave, revision=1)
    edit_release(house, wave, ReleaseAction.HOLD)

    with pytest.raises(StateConflict, match="not public"):
        ask(house, wave)


def test_a_process_that_dies_between_two_chunks_neither_repeats_nor_forgets_anybody(either_house: House):
    house = either_house
    half_sent(house)
    wave = the_wave(house)
    correct_release(house, wave, "A sea storm")
    notice = ask(house, wave)
    # It wrote the first chunk, and lost its place in the list.
    with house.runtime.session() as session:
        enqueue_next(session, notice, house.clock())
        session.commit()
    with house.runtime.session() as session:
        session.get_one(CorrectionNotice, notice).enqueued_to = 0
        session.commit()

    assert recipients(house) == ["eva@example.org", "ida@example.org"]


def test_a_person_who_has_it_from_two_newsletters_is_told_once(either_house: House):
    house = either_house
    sea = house.topic("sea")
    port = house.topic("port", "sea", newsletter=house.newsletter("harbour"))
    house.add_subscriber(sea, port, name="ann")
    wave = house.release("A sea wave")
    house.send()
    house.send(newsletter=2)
    assert len(house.transport.sent) == 2
    correct_release(house, wave, "A sea storm")

    ask(house, wave)

    assert recipients(house) == ["ann@example.org"]
    with house.runtime.reading() as session:
        assert session.query(Delivery).filter(Delivery.template == "correction").one().newsletter_id == 1
        assert session.get_one(Release, wave).revision == 2
