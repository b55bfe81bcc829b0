"""The schedule page: the rules in words, the next dates, and starting and stopping with a confirmation."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from newsletter.models import FIRST_NEWSLETTER, AuditEntry, NewsletterCalendar, Wave, WaveState

PAGE = "/admin/newsletters/news/schedule"


def _post(editor, **data: str):
    token = editor.hidden(PAGE, "csrf_token")
    return editor.client.post(PAGE, data={"csrf_token": token, **data})


def _is_on(house) -> bool:
    return any(each.is_on for each in house.all(select(NewsletterCalendar)))


def test_the_page_says_the_rules_in_words_and_the_next_dates(house, editor):
    text = editor.get(PAGE).text

    assert "Off. Nothing goes out until you start it." in text
    assert "Tuesdays at 8" in text
    assert "Fri, 2025-10-24" in text  # the next weekday after the clock of these tests
    assert house.all(select(NewsletterCalendar)) == []  # looking stores nothing


def test_the_page_counts_who_would_get_each_date_if_asked(house, editor):
    house.topic()
    house.release()
    house.add_subscriber()

    plain, counted = editor.get(PAGE).text, editor.get(f"{PAGE}?count=y").text

    assert "Would get it now" not in plain
    assert f"{PAGE}?count=y#dates" in plain
    assert counted.count('data-label="Would get it now">1</td>') >= 7  # daily, by the usual rules
    assert counted.count('data-label="Would get it now">') == 10


def test_a_schedule_is_started_and_stopped_after_a_question(house, editor):
    house.topic()
    house.release()
    house.add_subscriber()

    asked = editor.get(f"{PAGE}/confirm").text
    assert "Start sending" in asked
    assert "Check the relay: newsletter relay check" in asked
    assert "would go to 1 subscriber now" in asked
    assert not _is_on(house)
    assert _post(editor, action="start").status_code == 303
    assert _is_on(house)
    assert "On. Issues go out by themselves." in editor.get(PAGE).text
    assert ">on</a>" in editor.get("/admin/").text
    assert ">on</a>" in editor.get("/admin/newsletters").text
    assert "Stop the schedule?" in editor.get(f"{PAGE}/confirm").text
    assert _post(editor, action="stop").status_code == 303
    assert not _is_on(house)
    actions = [each.action for each in house.all(select(AuditEntry).order_by(AuditEntry.id))]
    assert actions[-2:] == ["schedule.start", "schedule.stop"]


def test_a_second_start_says_that_it_is_on(house, editor):
    _post(editor, action="start")

    _post(editor, action="start")

    assert "The schedule is on already." in editor.get(PAGE).text


def test_fields_are_saved_and_wrong_ones_are_shown_again(house, editor):
    assert _post(editor, action="save", weekly="tuesday,friday", hour="7").status_code == 303
    assert "Tuesdays and Fridays at 7" in editor.get(PAGE).text

    answer = _post(editor, action="save", hour="99", time_zone="Mars/Olympus")

    assert answer.status_code == 422
    assert "Choose a number from 0 to 23." in answer.text
    assert 'value="99"' in answer.text
    assert "Tuesdays and Fridays at 7" in editor.get(PAGE).text


def test_a_late_issue_is_answered_on_the_page(house, editor):
    _post(editor, action="start")
    with house.make_session() as session:
        session.add(
            Wave(
                newsletter_id=FIRST_NEWSLETTER, slot=house.clock().date(), instant=house.clock(), parts=[],
                asked=[{"frequencies": ["daily"], "own": True, "hours": []}], prepared_to=0,
                last_at=house.clock() + timedelta(hours=1), state=WaveState.DONE,
            )
        )  # fmt: skip
        session.commit()
    assert "A late issue waits for your answer." in editor.get(PAGE).text

    assert _post(editor, action="send_late").status_code == 303

    (wave,) = house.all(select(Wave))
    assert (wave.state, wave.asked) == (WaveState.PREPARING, None)
    assert "bulk" in house.woken.lanes
    assert "A late issue waits" not in editor.get(PAGE).text


def test_unknown_newsletters_and_actions_are_refused(editor):
    assert editor.get("/admin/newsletters/nothing/schedule").status_code == 404
    assert _post(editor, action="explode").status_code == 400


def test_weekdays_are_ticked_and_at_least_one_is_needed(house, editor):
    token = editor.hidden(PAGE, "csrf_token")

    def save(days: list[str]):
        data = {"csrf_token": token, "action": "save", "weekly": ["", *days], "hour": "9"}
        return editor.client.post(PAGE, data=data)

    assert save(["tuesday", "friday"]).status_code == 303
    text = editor.get(PAGE).text
    none = save([])

    assert "Tuesdays and Fridays at 9" in text
    assert 'name="weekly" value="friday" checked' in text
    assert 'name="weekly" value="monday" checked' not in text
    assert none.status_code == 422
    assert "Choose at least one weekday for weekly issues." in none.text
