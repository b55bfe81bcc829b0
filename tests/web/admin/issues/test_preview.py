from __future__ import annotations

import html
import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from newsletter.digest.issues import Preparer
from newsletter.limits.keys import limit_key
from newsletter.limits.spend import spend
from newsletter.models import (
    AuditEntry,
    Delivery,
    DeliveryState,
    Frequency,
    Issue,
    IssueState,
    Pace,
    Subscriber,
)
from newsletter.outbox.pacing.pace import Standing, fail, to_state
from newsletter.outbox.pacing.relay_failures import pause_if_down
from newsletter.outbox.pacing.standings import relay_key
from newsletter.tokens import Tokens
from newsletter.web.admin.issues.preview import TESTS

SEND = "/admin/preview?send=daily"


@pytest.fixture
def list_of_two(house):
    house.topic()
    house.release()
    house.add_subscriber("one@example.org")
    house.add_subscriber("two@example.org")
    house.add_subscriber("weekly@example.org", frequency=Frequency.WEEKLY)


def _form(editor, number, page=SEND):
    return {
        "csrf_token": editor.hidden(page, "csrf_token"),
        "key": editor.hidden(page, "key"),
        "number": number,
    }


def _prepare(house):
    """Do what the worker does first: write the deliveries of every open issue."""
    with house.make_session() as session:
        for issue_id in session.scalars(select(Issue.id).where(Issue.state == IssueState.PREPARING)).all():
            preparer = Preparer(house.app.extensions["newsletter"].renderer, issue_id)
            while preparer.step(session, house.clock()):
                session.commit()
        session.commit()


def test_the_digest_is_shown_as_html_and_text_and_in_a_phones_frame(list_of_two, editor):
    page = editor.get("/admin/preview?topic=harbours&frequency=daily").text
    text = editor.get("/admin/preview?topic=harbours&frequency=daily&view=text").text
    phone = editor.get("/admin/preview?view=phone").text
    body = editor.get("/admin/preview/body?topic=harbours&frequency=daily")

    assert "/admin/preview/body?topic=harbours&amp;frequency=daily" in page
    assert "frame-phone" in phone
    assert "A new quay" in text
    assert "A new quay" in body.text
    policy = body.headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "frame-ancestors 'self'" in policy
    assert "script-src" not in policy


def test_one_subscribers_own_digest_is_shown(house, list_of_two, editor):
    house.topic("trains")
    house.release("Night train", topic="trains")

    page = editor.get("/admin/preview?view=text&reader=ONE@example.org").text

    assert "A new quay" in page
    assert "Night train" not in page


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("reader=nobody@example.org", "There is no subscriber with this address"),
        ("reader=nonsense", "@"),
        ("topic=nonsense", "no topic"),
    ],
)
def test_a_preview_of_nobody_says_why(list_of_two, editor, query, words):
    page = editor.get(f"/admin/preview?{query}")

    assert page.status_code == 200
    assert "Nothing to send" in page.text
    assert words in page.text
    assert editor.get(f"/admin/preview/body?{query}").status_code == 404


def test_a_preview_begins_with_what_most_subscribers_chose(list_of_two, editor):
    page = " ".join(editor.get("/admin/preview").text.split())

    assert '<option value="daily" selected>' in page
    assert 'name="send" value="daily" checked' in page
    assert 'name="send" value="weekly" checked' not in page


def test_an_empty_house_has_a_preview_that_says_so(editor):
    assert "No release of this newsletter is ready yet." in editor.get("/admin/preview").text


def test_a_test_goes_to_one_address_through_the_outbox(house, list_of_two, editor):
    answer = editor.post(
        "/admin/preview/test?topic=harbours&frequency=daily",
        {"email": "me@example.org"},
        page="/admin/preview",
    )

    assert answer.status_code == 303
    assert "The test is being sent to me@example.org." in editor.get(answer.location).text
    assert house.all(select(Delivery.recipient)) == ["me@example.org"]
    assert house.all(select(Delivery.state)) == [DeliveryState.QUEUED]
    assert house.woken.lanes == ["single"]
    assert "No issues yet" in editor.get("/admin/issues").text
    (entry,) = house.all(select(AuditEntry).where(AuditEntry.action == "issue.test"))
    assert "me@example.org" not in str(entry.detail) + entry.subject


@pytest.mark.parametrize("address", ["", "nonsense", "a@b.example.org, c@example.org"])
def test_a_test_to_no_address_is_refused(house, list_of_two, editor, address):
    answer = editor.post("/admin/preview/test", {"email": address}, page="/admin/preview")

    assert answer.status_code == 422
    assert house.all(select(Delivery.id)) == []


def test_tests_are_limited(house, list_of_two, editor):
    with house.make_session() as session:
        for _ in range(19):
            spend(
                session,
                limit_key(Tokens(house.settings.secret_keys, 7), "test", "editor@example.org"),
                TESTS,
                house.clock(),
            )
        session.commit()

    statuses = [
        editor.post("/admin/preview/test", {"email": "me@example.org"}, page="/admin/").status_code
        for _ in range(2)
    ]

    assert statuses == [303, 429]
    assert len(house.all(select(Delivery.id))) == 1


def test_both_pages_name_the_same_three_numbers(house, list_of_two, editor):
    house.topic("trains")
    house.add_subscriber("trains@example.org", "trains")
    with house.make_session() as session:
        session.scalars(select(Subscriber)).first().snoozed_until = house.clock() + timedelta(days=9)
        session.commit()

    pages = [editor.get(path).text for path in ("/admin/preview?frequency=daily", SEND)]

    for page in pages:
        said = re.findall(r"<dt>([\w ]+)</dt><dd>(\d+)</dd>", page)
        assert said[-3:] == [("Would reach now", "1"), ("Due", "2"), ("Subscribers", "3")]


def test_the_page_counts_the_subscribers_before_it_sends(list_of_two, editor):
    assert "Type the number of subscribers, 2, to send." in editor.get(SEND).text
    assert "Type the number of subscribers, 3, to send." in editor.get(SEND + "&send=weekly").text
    assert "There is nothing new for subscribers who chose" in editor.get("/admin/preview?send=monthly").text


def test_the_number_of_subscribers_sends(house, list_of_two, editor):
    answer = editor.client.post("/admin/preview/send", data=_form(editor, "2"))

    (issue,) = house.all(select(Issue))
    assert (answer.status_code, answer.location) == (303, f"/admin/issues/{issue.public_id}")
    assert issue.frequencies == ["daily"]
    assert issue.created_by == "editor@example.org"
    assert house.woken.lanes == ["bulk"]
    assert house.all(select(Delivery.id)) == []  # nothing is sent, nor prepared, inside a request
    (entry,) = house.all(select(AuditEntry).where(AuditEntry.action == "issue.open"))
    assert entry.actor == "editor@example.org"
    assert "The issue is being sent." in editor.get(answer.location).text


def test_a_planned_issue_says_when_it_is_sent_and_can_be_cancelled(house, list_of_two, editor):
    answer = editor.client.post(
        "/admin/preview/send", data={**_form(editor, "2"), "starts_at": "2025-10-24 08:00"}
    )

    assert "The issue is planned." in editor.get(answer.location).text
    assert "You can cancel it until then." in editor.get(answer.location).text
    assert "Cancel this issue?" in editor.get(f"{answer.location}/cancel").text
    editor.post(answer.location, {"action": "cancel"})
    assert house.all(select(Issue.state)) == [IssueState.CANCELLED]


def test_a_time_that_has_passed_is_named_beside_its_field(house, list_of_two, editor):
    data = {**_form(editor, "2"), "starts_at": "2025-10-22 08:00"}

    answer = editor.client.post("/admin/preview/send", data=data)

    assert answer.status_code == 422
    assert "This time has passed." in answer.text
    assert house.all(select(Issue)) == []


def test_an_issue_by_hand_waits_for_another_account(house, list_of_two, editor):
    page = "/admin/newsletters/news/schedule"
    editor.post(page, {"action": "save", "second_person": "yes"})
    place = editor.client.post("/admin/preview/send", data=_form(editor, "2")).location

    own = editor.get(place).text
    refused = editor.post(place, {"action": "approve"})
    with house.make_session() as session:
        session.scalars(select(Issue)).one().created_by = "chief@example.org"
        session.commit()
    editor.post(place, {"action": "approve"})

    assert "waits until another person than editor@example.org approves it" in own
    assert 'value="approve"' not in own
    assert refused.status_code == 409
    assert house.all(select(Issue.state)) == [IssueState.PREPARING]


def test_a_box_lets_subscribers_who_chose_an_hour_wait_for_it(house, list_of_two, editor):
    with house.make_session() as session:
        one = session.scalars(select(Subscriber).where(Subscriber.email == "one@example.org")).one()
        one.preferred_hour, one.time_zone = 18, "Europe/Vilnius"
        session.commit()

    place = editor.client.post("/admin/preview/send", data={**_form(editor, "2"), "own_hour": "y"}).location
    _prepare(house)

    due = _due(house)
    assert due["two@example.org"] <= house.clock()
    # 18:00 in Vilnius, where it is summer time. The test clock says noon in UTC.
    assert due["one@example.org"] == datetime(2025, 10, 23, 15, tzinfo=UTC)
    assert "1 subscriber" in editor.get(place).text


def test_without_that_box_nobody_waits(house, list_of_two, editor):
    with house.make_session() as session:
        for subscriber in session.scalars(select(Subscriber)):
            subscriber.preferred_hour, subscriber.time_zone = 18, "Europe/Vilnius"
        session.commit()

    editor.client.post("/admin/preview/send", data=_form(editor, "2"))
    _prepare(house)

    due = _due(house)
    assert len(due) == 2
    assert max(due.values()) <= house.clock()


def _due(house):
    """Return when each subscriber's email of the issue may be sent, by address."""
    with house.make_session() as session:
        pairs = select(Subscriber.email, Delivery.due_at).join(
            Delivery, Delivery.subscriber_id == Subscriber.id
        )
        return dict(session.execute(pairs).all())


def test_a_note_is_previewed_and_sent_with_the_issue(house, list_of_two, editor):
    form = _form(editor, "2") | {"note": "The **quay**\r\n\r\nopens.", "note_language": "de"}

    shown = editor.client.post("/admin/preview/note?frequency=daily", data=form)
    assert house.all(select(Issue.id)) == []
    place = editor.client.post("/admin/preview/send", data=form).location

    assert "<strong>quay</strong>" in shown.text
    assert 'lang="de"' in shown.text
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    page = editor.get(place).text
    assert "Editor&#39;s note" in page or "Editor's note" in page
    assert "The **quay**" in page
    assert house.all(select(Issue.note_language)) == ["de"]


@pytest.mark.parametrize(
    ("note", "said"), [("é" * 2_501, "5,002 bytes. At most 5,000"), ("> " * 500 + "x", "levels deep")]
)
def test_a_note_that_cannot_be_used_is_refused_beside_its_field_and_kept(
    house, list_of_two, editor, note: str, said: str
):
    form = _form(editor, "2") | {"note": note, "note_language": "en"}

    answer = editor.client.post("/admin/preview/send", data=form)
    shown = editor.client.post("/admin/preview/note?frequency=daily", data=form)

    assert (answer.status_code, shown.status_code) == (422, 422)
    assert said in answer.text
    assert said in shown.text
    assert note[:300] in html.unescape(answer.text)
    assert "At most 5,000 bytes." in editor.get(SEND).text
    assert house.all(select(Issue.id)) == []


def test_a_note_of_a_megabyte_and_a_script_do_no_harm(house, list_of_two, editor):
    huge = _form(editor, "2") | {"note": "x" * 1_000_000, "note_language": "en"}
    script = _form(editor, "2") | {
        "note": "<script>alert(1)</script> [a](javascript:alert(1))",
        "note_language": "en",
    }

    assert editor.client.post("/admin/preview/send", data=huge).status_code in {413, 422}
    shown = editor.client.post("/admin/preview/note?frequency=daily", data=script).text

    assert "&lt;script&gt;alert(1)" in shown
    assert "<script" not in shown
    assert 'href="javascript' not in shown
    assert house.all(select(Issue.id)) == []


@pytest.mark.parametrize("number", ["", "1", "3", "02", "two", "2.0", "2 readers"])
def test_another_number_sends_nothing(house, list_of_two, editor, number):
    answer = editor.client.post("/admin/preview/send", data=_form(editor, number))

    assert answer.status_code == 422
    assert "type the number of subscribers, 2," in answer.text
    assert house.all(select(Issue.id)) == []


def test_a_number_that_is_no_longer_true_sends_nothing_and_names_the_new_one(house, list_of_two, editor):
    form = _form(editor, "2")
    house.add_subscriber("three@example.org")

    answer = editor.client.post("/admin/preview/send", data=form)

    assert answer.status_code == 409
    assert "has changed from 2 to 3" in answer.text
    assert "Type the number of subscribers, 3, to send." in answer.text
    assert house.all(select(Issue.id)) == []


def test_the_same_form_twice_opens_one_issue(house, list_of_two, editor):
    form = _form(editor, "2")

    first = editor.client.post("/admin/preview/send", data=form)
    _prepare(house)
    second = editor.client.post("/admin/preview/send", data=form)

    assert second.status_code == 303
    assert second.location == first.location
    assert len(house.all(select(Issue.id))) == 1


def test_the_same_form_at_the_same_moment_opens_one_issue(house, list_of_two, editor):
    form = _form(editor, "2")
    cookie = editor.client.get_cookie("session").value
    answers = []

    def post():
        browser = house.browser()
        browser.client.set_cookie("session", cookie)
        answers.append(browser.client.post("/admin/preview/send", data=form))

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [303] * 4
    assert len({answer.location for answer in answers}) == 1
    assert len(house.all(select(Issue.id))) == 1


def test_a_page_left_open_for_days_sends_nothing(house, list_of_two, editor):
    form = _form(editor, "2")
    house.clock.pass_(hours=11)
    editor.get("/admin/")
    house.clock.pass_(hours=11)
    editor.get("/admin/")
    house.clock.pass_(hours=3)

    assert editor.client.post("/admin/preview/send", data=form).status_code == 409
    assert house.all(select(Issue.id)) == []


@pytest.mark.parametrize("key", ["", "forged", "WzEsInNlbmQiXQ.c2VhbA"])
def test_a_forged_key_sends_nothing(house, list_of_two, editor, key):
    form = {**_form(editor, "2"), "key": key}

    assert editor.client.post("/admin/preview/send", data=form).status_code == 409
    assert house.all(select(Issue.id)) == []


def test_sending_again_finds_nobody(house, list_of_two, editor):
    editor.client.post("/admin/preview/send", data=_form(editor, "2"))
    _prepare(house)

    assert "There is nothing new for subscribers who chose" in editor.get(SEND).text


def _send(house, editor):
    place = editor.client.post("/admin/preview/send", data=_form(editor, "2")).location
    _prepare(house)
    return place


def test_an_issue_shows_its_deliveries_by_state(house, list_of_two, editor):
    place = _send(house, editor)

    page = editor.get(place).text
    assert "one@example.org" in page
    assert "two@example.org" in page
    assert "one@example.org" not in editor.get(f"{place}?state=accepted").text
    listed = editor.get("/admin/issues").text
    assert place in listed
    assert "0 of 2" in listed


def test_the_progress_asks_for_itself_only_while_something_moves(house, list_of_two, editor):
    place = _send(house, editor)

    part = editor.get(f"{place}/progress").text
    assert f'hx-get="{place}/progress?was=sending"' in part
    assert "<html" not in part

    editor.post(place, {"action": "pause"})
    assert "hx-get" not in editor.get(f"{place}/progress").text


def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(house, list_of_two, editor):
    place = _send(house, editor)
    for _ in range(3):
        house.clock.pass_(hours=5)
        last = editor.get(f"{place}/progress", headers={"HX-Request": "true"})

    assert last.status_code == 401


def test_an_issue_is_paused_resumed_and_cancelled(house, list_of_two, editor):
    place = _send(house, editor)
    states = []

    for action in ("pause", "resume", "cancel"):
        answer = editor.post(place, {"action": action})
        assert (answer.status_code, answer.location) == (303, place)
        states += house.all(select(Issue.state))

    assert states == [IssueState.PAUSED, IssueState.SENDING, IssueState.CANCELLED]
    assert set(house.all(select(Delivery.state))) == {DeliveryState.CANCELLED}
    actions = house.all(select(AuditEntry.action).where(AuditEntry.action.startswith("issue.")))
    assert actions == ["issue.open", "issue.pause", "issue.resume", "issue.cancel"]
    assert "subscribers get an email now" in editor.get(SEND).text


def test_what_holds_up_an_issue_and_why_it_was_paused_is_on_its_page(house, list_of_two, editor):
    page = _send(house, editor)
    _prepare(house)
    with house.make_session() as session:
        now = house.clock()
        relay = relay_key(house.settings.relay)
        standing, _ = fail(Standing(now), now)
        session.add(Pace(key=relay, seen_at=now, state=to_state(standing)))
        session.commit()
    assert "The relay could not be used since 2025-10-23 12:00 (" in editor.get(page).text

    with house.make_session() as session:
        issue = session.scalars(select(Issue)).one()
        pause_if_down(session, [issue.id], "relay:25", timedelta(minutes=15), "no <route>", house.clock())
        session.commit()
    shown = editor.get(page).text
    assert "the relay relay:25 could not be used for 15 minutes: no &lt;route&gt;." in shown
    assert "since 12:00" not in shown


def test_a_step_that_no_longer_fits_is_a_conflict(house, list_of_two, editor):
    place = _send(house, editor)
    editor.post(place, {"action": "cancel"})

    assert editor.post(place, {"action": "pause"}).status_code == 409
    assert editor.post(place, {"action": "explode"}).status_code == 400


def test_what_may_have_been_lost_is_sent_again_when_a_person_says_so(house, list_of_two, editor):
    place = _send(house, editor)
    with house.make_session() as session:
        for delivery in session.scalars(select(Delivery)):
            delivery.state = DeliveryState.UNCERTAIN
        session.commit()
    assert "It is uncertain whether 2 emails arrived" in editor.get("/admin/").text

    editor.post(place, {"action": "resend_uncertain"})

    assert set(house.all(select(Delivery.state))) == {DeliveryState.QUEUED}


def test_a_test_has_the_note_of_its_form(house, list_of_two, editor):
    given = {"email": "me@example.org", "test_note": "Look at **this**.", "test_note_language": "en"}
    path = "/admin/preview/test?topic=harbours&frequency=daily"

    answer = editor.post(path, given, page="/admin/preview")
    refused = editor.post(path, {**given, "test_note": "x" * 20_000}, page="/admin/preview")

    assert answer.status_code == 303
    assert house.all(select(Issue.editors_note)) == ["Look at **this**."]
    assert (refused.status_code, "20,000 bytes" in refused.text) == (422, True)
