"""Each email to a subscriber is in their language, and no text in it is left in English."""

from __future__ import annotations

import html
import re
from email import message_from_bytes, policy

import pytest
from sqlalchemy import select

from newsletter.languages import LANGUAGES, translations
from newsletter.models import Frequency, Subscriber
from newsletter.newsletters.edit import edit_newsletter
from newsletter.service.catalogues import gather
from newsletter.subscribers.signup.reminders import remind

# Template and subject of each email, in the order in which they come.
SUBJECTS = (
    ("confirm", "Please confirm: %(name)s"),
    ("reminder", "Reminder: please confirm %(name)s"),
    ("welcome", "Welcome to %(name)s"),
    ("link", "Your link to %(name)s"),
    ("left", "You have unsubscribed from %(name)s"),
    ("own_link", "Download your data from %(name)s"),
    ("own_link", "Change your address at %(name)s"),
    ("change_address", "Your new address for %(name)s"),
    ("address_changed", "%(name)s is now sent to another address"),
    ("own_link", "Delete your data at %(name)s"),
    ("erased", "Your data at %(name)s has been deleted"),
)


def lives(visitor, language: str) -> None:
    """Sign up, be reminded, confirm, request the link, unsubscribe, undo, change address, be erased."""
    house = visitor.house
    house.release("Energy from the sea")
    visitor.sign_up(language=language)
    visitor.resolve()
    house.drain("single")
    house.clock.pass_(hours=49)
    with house.runtime.session() as session:
        assert remind(session, house.runtime.tokens, 48, 14, house.clock()) == 1
        session.commit()
    house.drain("single")
    visitor.fill(visitor.confirm_path())
    house.drain("single")
    house.clock.pass_(hours=1)
    visitor.fill("/link", email="ann@example.org")
    visitor.resolve()
    visitor.fill(visitor.unsubscribe_path(), page="yes")
    house.drain("single")
    visitor.fill(linked(visitor, "undo"))
    house.clock.pass_(hours=1)
    assert visitor.ask_for("export").status_code == 303
    assert visitor.ask_for("address").status_code == 303
    house.drain("single")
    answer = visitor.fill(linked(visitor, "new-address"), **{"move-email": "ann@elsewhere.example.org"})
    assert answer.status_code == 303
    house.drain("single")
    visitor.fill(linked(visitor, "move"))
    house.drain("single")
    assert visitor.ask_for("erase", "ann@elsewhere.example.org").status_code == 303
    house.drain("single")
    visitor.fill(linked(visitor, "erase"), sure="y")
    house.drain("single")


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'name="([\w-]+)" type="hidden" value="([^"]*)"', page))


def linked(visitor, kind: str) -> str:
    """Return the path of this kind in the newest email."""
    found = re.search(rf"https://news\.example\.org(/{kind}/\S+)", letters(visitor)[-1][1])
    assert found is not None
    return found[1]


def letters(visitor) -> list[tuple[str, str, str]]:
    """Return the subject, the text, and the words of the page of each email that was sent."""
    found = []
    for sent in visitor.house.transport.sent:
        mail = message_from_bytes(sent.content, policy=policy.default)
        text, page = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
        found.append((str(mail["Subject"]), text, html.unescape(re.sub(r"<[^>]+>", " ", page))))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_email_is_in_its_subscribers_language(visitor_with, language):
    visitor = visitor_with(reminder_hours="48", welcome_mail="yes")
    visitor.house.topic("energy")

    lives(visitor, language)

    catalogue = translations(language)
    name = visitor.house.runtime.settings.site_name
    assert [mail.template for mail in visitor.mails()] == [template for template, _ in SUBJECTS]
    assert [subject for subject, _, _ in letters(visitor)] == [
        # A subject has plain spaces only, where a French text has one that does not break.
        " ".join((catalogue.gettext(subject) % {"name": name}).split())
        for _, subject in SUBJECTS
    ]
    if language != "en":
        english = {str(each.id) for each in gather() if isinstance(each.id, str) and len(each.id) > 12}
        for _, text, page in letters(visitor):
            left = [
                each for each in english if each in " ".join(text.split()) or each in " ".join(page.split())
            ]
            assert left == [], text


def links_of(visitor) -> set[str]:
    """Return every link of the newest email to our own pages."""
    _, text, _ = letters(visitor)[-1]
    mail = message_from_bytes(visitor.house.transport.sent[-1].content, policy=policy.default)
    page = html.unescape(mail.get_body(("html",)).get_content())
    found = re.findall(r"https://news\.example\.org[^\s\"'<>]*", f"{text} {page}")
    return {each.rstrip(".,") for each in found}


def spoken_by(visitor, link: str, browser: str) -> str | None:
    """Return the language of the page that a link leads to, in a new browser that asks for another one."""
    client = visitor.app.test_client()
    path = link.removeprefix("https://news.example.org") or "/"
    answer = client.get(
        path, base_url="https://news.example.org", headers={"Accept-Language": browser}, follow_redirects=True
    )
    found = re.search(r"<html[^>]* lang=\"([\w-]+)\"", answer.text)
    return found[1] if answer.status_code == 200 and found else None


@pytest.mark.parametrize("counted", [False, True], ids=["plain", "counted"])
@pytest.mark.parametrize(("language", "browser"), [("ja", "lt"), ("en", "de"), ("de", "en")])
def test_each_link_of_an_email_leads_to_a_page_in_its_language(visitor_with, language, browser, counted):
    visitor = visitor_with(welcome_mail="yes", reminder_hours="48")
    house = visitor.house
    house.topic("energy")
    house.release("Energy from the sea")
    seen: dict[str, str | None] = {}

    def look(kind: str, least: int) -> None:
        links = links_of(visitor)
        assert len(links) >= least, kind
        seen.update({f"{kind} {link}": spoken_by(visitor, link, browser) for link in links})

    visitor.sign_up(language=language)
    visitor.resolve()
    house.drain("single")
    look("confirm", 3)
    house.clock.pass_(hours=49)
    with house.runtime.session() as session:
        remind(session, house.runtime.tokens, 48, 14, house.clock())
        session.commit()
    house.drain("single")
    look("reminder", 3)
    visitor.fill(visitor.confirm_path())
    house.drain("single")
    look("welcome", 4)
    house.clock.pass_(hours=1)
    visitor.fill("/link", email="ann@example.org")
    visitor.resolve()
    house.drain("single")
    look("link", 2)
    if counted:
        with house.runtime.session() as session:
            edit_newsletter(
                session, house.runtime.settings, {"click_counting": "agreed"}, actor="ed", now=house.clock()
            )
            session.scalars(select(Subscriber)).one().clicks_agreed_at = house.clock()
            session.commit()
    house.release("Energy from waves")
    house.send(Frequency.DAILY)
    look("digest", 5)
    assert any("/follow/" in each for each in seen) is counted

    assert {each: spoken for each, spoken in seen.items() if spoken != language} == {}
