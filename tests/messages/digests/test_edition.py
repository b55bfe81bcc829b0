"""What a digest shows of its selection: the subject, the preheader, the contents, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from house import House, public_id
from sqlalchemy import delete, or_, update

from newsletter.digest.archive import read_issue
from newsletter.digest.issues import send_test
from newsletter.digest.order.change import GivenSection, change_order
from newsletter.messages.digests.edition import HTML_BUDGET_BYTES
from newsletter.models import FIRST_NEWSLETTER, Delivery, Fragment, Release, Subscriber, insert_new
from newsletter.models.rendition_key import Section


def mails(house: House) -> list[EmailMessage]:
    return [message_from_bytes(sent.content, policy=policy.default) for sent in house.transport.sent]


def part(mail: EmailMessage, subtype: str) -> str:
    found = mail.get_body((subtype,))
    assert found is not None
    return str(found.get_content())


def change(house: House, release_id: int, **values: object) -> None:
    with house.runtime.session() as session:
        session.execute(update(Release).where(Release.id == release_id).values(**values))
        session.commit()


def releases(house: House, count: int, name: str = "Energy report") -> list[int]:
    """Store releases, each an hour newer than the one before, so that the last is shown first."""
    found = []
    for number in range(count):
        found.append(house.release(f"{name} {number}"))
        house.clock.pass_(hours=1)
        change(house, found[-1], published_at=house.clock())
    return found


def test_the_subject_is_the_first_headline_and_how_many_more(house: House):
    house.add_subscriber(house.topic("energy"))
    releases(house, 1)
    house.send()
    releases(house, 3, "Energy prices")
    house.send()

    assert [mail["Subject"] for mail in mails(house)] == [
        "Energy report 0",
        "Energy prices 2, and 2 more",
    ]


def test_the_subject_has_the_language_of_the_subscriber(house: House):
    subscriber = house.add_subscriber(house.topic("energy"))
    with house.runtime.session() as session:
        session.get_one(Subscriber, subscriber).language = "de"
        session.commit()
    releases(house, 3)

    house.send()

    assert mails(house)[0]["Subject"] == "Energy report 2 und 2 weitere"


def test_a_long_headline_is_cut_after_a_word(house: House):
    house.add_subscriber(house.topic("energy"))
    house.release("Energy ministers agree on rules for the cables that cross the sea between their countries")

    house.send()

    assert mails(house)[0]["Subject"] == "Energy ministers agree on rules for the cables that cross…"


def test_the_preheader_has_the_headlines_after_the_first(house: House):
    house.add_subscriber(house.topic("energy"))
    releases(house, 6)

    house.send()

    preheader = part(mails(house)[0], "html").partition('class="preheader"')[2].partition("</div>")[0]
    assert [number for number in range(6) if f"Energy report {number}" in preheader] == [2, 3, 4]


def test_the_preheader_of_a_single_release_is_what_it_says(house: House):
    house.add_subscriber(house.topic("energy"))
    only = house.release("An energy cable")
    change(house, only, summary="It crosses the bay and ends at the old port.")

    house.send()

    preheader = part(mails(house)[0], "html").partition('class="preheader"')[2].partition("</div>")[0]
    assert "It crosses the bay" in preheader
    assert "An energy cable" not in preheader


def test_the_contents_list_ten_and_say_how_many_follow(house: House):
    house.add_subscriber(house.topic("energy"))
    releases(house, 13)

    house.send()

    text = part(mails(house)[0], "plain")
    contents = text.partition("In this issue")[2].partition("----")[0]
    assert "10.  Energy report 3" in contents
    assert "11." not in contents
    assert "And 3 more below" in contents
    assert "Energy report 0" in text.partition("----")[2]


@pytest.fixture
def crowded(house: House) -> Sequence[int]:
    """Store more releases than fit into an email even with short summaries. The oldest one is pinned."""
    house.add_subscriber(house.topic("energy"))
    found = releases(house, 150)
    for each in found:
        change(
            house, each, summary="Cables and ports. " * 60, title=f"{'Energy for everybody ' * 10} {each:03}"
        )
    change(house, found[0], pinned=True)
    return found


def test_a_digest_stays_below_the_size_at_which_gmail_cuts_it(house: House, crowded: Sequence[int]):
    house.send()

    html = mails(house)[0].get_body(("html",))
    assert html is not None
    assert len(html.get_payload()) < HTML_BUDGET_BYTES


def test_summaries_are_shortened_before_releases_are_left_out(house: House):
    house.add_subscriber(house.topic("energy"))
    found = releases(house, 60)
    for each in found:
        change(house, each, summary="Cables and ports. " * 120)

    house.send()

    html = part(mails(house)[0], "html")
    assert all(f"Energy report {number}<" in html for number in range(60))
    assert "#rest" not in html


def test_what_does_not_fit_is_behind_a_link_to_the_first_release_left_out(
    house: House, crowded: Sequence[int]
):
    house.send()

    mail = mails(house)[0]
    assert "#rest" in part(mail, "html")
    assert "#rest" in part(mail, "plain")
    with house.runtime.reading() as session:
        (delivery,) = house.all(Delivery)
        subscriber = session.get_one(Subscriber, delivery.subscriber_id)
        page = read_issue(session, house.runtime.messages, subscriber.public_id, delivery.id, house.clock())
    shown, _, rest = page.partition('id="rest"')
    sent = part(mail, "html")
    titles = [f" {each:03}<" for each in crowded]
    assert [each for each in titles if each not in page] == []
    left_out = [each for each in titles if each not in sent]
    assert left_out == [each for each in titles if each in rest and each not in shown]
    # The oldest are left out first, but not the pinned one.
    assert left_out == titles[1 : 1 + len(left_out)]
    assert f"And {len(left_out)} more" in sent


def as_an_earlier_version_prepared_it(house: House, issue: int) -> None:
    new = ("subject:", "headline:", "opening:", "brief:", "contents_more:", "frame_cut")
    with house.runtime.session() as session:
        session.execute(delete(Fragment).where(or_(*(Fragment.part.startswith(each) for each in new))))
        old = {"issue_id": issue, "language": "en", "part": "subject", "html": b"", "text": b"Of March"}
        session.execute(insert_new(session, Fragment), [old])
        session.commit()


def test_an_issue_that_an_earlier_version_prepared_is_sent_with_its_subject(house: House):
    house.add_subscriber(house.topic("energy"))
    releases(house, 12)
    as_an_earlier_version_prepared_it(house, house.open())

    house.drain()

    (mail,) = mails(house)
    assert mail["Subject"] == "Of March"
    assert "12.  Energy report 0" in part(mail, "plain")


def test_an_issue_that_an_earlier_version_prepared_says_how_many_it_leaves_out(
    house: House, crowded: Sequence[int]
):
    as_an_earlier_version_prepared_it(house, house.open())

    house.drain()

    (mail,) = mails(house)
    left_out = [each for each in crowded if f" {each:03}<" not in part(mail, "html")]
    assert f"And {len(left_out)} more" in part(mail, "html")


def test_each_release_has_the_language_and_direction_of_its_own(house: House):
    house.add_subscriber(house.topic("energy"))
    english, arabic, unknown = releases(house, 3)
    change(house, english, language="en")
    change(house, arabic, language="ar", title="تشغيل كابل energy", summary="نص")
    change(house, unknown, language="und", title="כבל energy")

    house.send()

    html = part(mails(house)[0], "html")
    assert 'lang="ar" dir="rtl"' in html
    assert 'lang="en" dir="ltr"' in html
    assert 'lang="" dir="rtl"' in html
    assert html.count("text-align: right") + html.count("text-align:right") >= 2


def test_a_test_email_says_that_it_is_one(house: House):
    energy = house.topic("energy")
    (only,) = releases(house, 1)
    with house.runtime.session() as session:
        send_test(
            session,
            house.runtime.renderer,
            (Section(energy, "weekly", (only,)),),
            recipient="me@example.org",
            actor="ed",
            now=house.clock(),
        )
        session.commit()

    house.drain("single")

    (mail,) = mails(house)
    assert mail["Subject"] == "[Test] Energy report 0"
    assert "This is a test email." in part(mail, "html")
    assert "This is a test email." in part(mail, "plain")


def put_first(house: House, release_ids: Sequence[int]) -> None:
    """Let the next issue begin with a section of these releases."""
    with house.runtime.session() as session:
        section = GivenSection("Chosen", [public_id(house, each) for each in release_ids])
        change_order(
            session, FIRST_NEWSLETTER, "by-hand", [section], 0,
            languages=["en"], actor="test", now=house.clock(),
        )  # fmt: skip
        session.commit()


def test_the_contents_and_the_preheader_follow_an_order_by_hand(house: House):
    house.add_subscriber(house.topic("energy"))
    found = releases(house, 6)
    put_first(house, [found[0], found[2]])

    house.send()

    mail = mails(house)[0]
    page = part(mail, "html")
    preheader = page.partition('class="preheader"')[2].partition("</div>")[0]
    contents = part(mail, "plain").partition("In this issue")[2].partition("----")[0]
    order = [0, 2, 5, 4, 3, 1]
    assert mail["Subject"] == "Energy report 0, and 5 more"
    assert [number for number in range(6) if f"Energy report {number}" in preheader] == [2, 4, 5]
    places = [contents.index(f"{place}.  Energy report {number}") for place, number in enumerate(order, 1)]
    assert places == sorted(places)


def test_the_releases_of_a_section_are_kept_when_not_all_fit(house: House, crowded: Sequence[int]):
    fourth, eighth = crowded[3], crowded[7]
    put_first(house, [eighth, fourth])

    house.send()

    (mail,) = mails(house)
    sent = part(mail, "html")
    with house.runtime.reading() as session:
        (delivery,) = house.all(Delivery)
        subscriber = session.get_one(Subscriber, delivery.subscriber_id)
        page = read_issue(session, house.runtime.messages, subscriber.public_id, delivery.id, house.clock())
    left_out = [each for each in crowded if f" {each:03}<" not in sent]
    assert left_out == [each for each in crowded[1 : len(left_out) + 3] if each not in {fourth, eighth}]
    # In the browser, all stand in the same order, and the link leads to the first one that was left out.
    shown, _, rest = page.partition('id="rest"')
    assert (
        0 < shown.index(f" {eighth:03}<") < shown.index(f" {fourth:03}<") < shown.index(f" {crowded[0]:03}<")
    )
    assert all(f" {each:03}<" in rest and f" {each:03}<" not in shown for each in left_out)


def test_a_section_without_a_release_of_the_subscriber_is_not_there(house: House):
    house.add_subscriber(house.topic("energy"))
    house.topic("ferry")
    releases(house, 1)
    put_first(house, [house.release("A ferry")])

    house.send()

    assert "Chosen" not in part(mails(house)[0], "html")
    assert "Energy report 0" in part(mails(house)[0], "html")
