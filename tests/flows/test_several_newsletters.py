"""Two newsletters under one roof, as people meet them: over HTTP, and in the emails that they get."""

from __future__ import annotations

import contextlib
import email
import email.policy
import html
import re
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from typing import Any

import pytest
from house import House
from werkzeug.test import Client, TestResponse

from newsletter.app import create_app
from newsletter.errors import StateConflict
from newsletter.models import Frequency
from newsletter.newsletters.add import add_newsletter
from newsletter.newsletters.edit import edit_newsletter
from newsletter.runtime import Runtime
from newsletter.service.incoming.apply import take_in
from newsletter.subscribers.signup.resolve import resolve_signups
from newsletter.tokens import Purpose

SITE = "https://news.example.org"
ANN = "ann@example.org"
HARBOUR = {
    "name": "Harbour Letter",
    "tagline": "News from the harbour.",
    "from_address": "desk@harbour.example",
}


@dataclass
class Roof:
    """An installation with two newsletters, and a browser."""

    house: House
    client: Client
    read: int = 0
    mails: list[EmailMessage] = field(default_factory=list)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path.removeprefix(SITE), base_url=SITE, **more)

    def post(self, path: str, data: Any = None, **more: Any) -> TestResponse:
        return self.client.post(path.removeprefix(SITE), data=data, base_url=SITE, **more)

    def fill(self, path: str, to: str = "", **fields: Any) -> TestResponse:
        """Open a page, and send its form with these fields."""
        page = self.get(path)
        assert page.status_code == 200, page.text
        hidden = {}
        for tag in re.findall(r"<input[^>]*>", page.text):
            attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            if attributes.get("type") == "hidden":
                hidden[attributes["name"]] = html.unescape(attributes.get("value", ""))
        self.house.clock.pass_(seconds=20)
        return self.post(to or path, {**hidden, **fields})

    def sign_up(self, path: str, topic: str, address: str = ANN) -> TestResponse:
        return self.fill(path, email=address, topics=[topic], frequency="daily")

    def work(self) -> list[EmailMessage]:
        """Run the jobs; return the emails that were sent since the last time."""
        runtime = self.house.runtime
        with runtime.session() as session:
            resolve_signups(session, runtime.tokens, self.house.clock())
            session.commit()
        self.house.drain("single")
        sent = self.house.transport.sent[self.read :]
        self.read = len(self.house.transport.sent)
        fresh = [email.message_from_bytes(each.content, policy=email.policy.default) for each in sent]
        self.mails += fresh  # type: ignore[arg-type]
        return fresh  # type: ignore[return-value]

    def join(self, path: str, topic: str) -> None:
        self.house.clock.pass_(hours=1)
        assert self.sign_up(path, topic).status_code == 303
        (mail,) = self.work()
        assert self.fill(link(mail, "confirm")).status_code == 303

    def digest(self, newsletter: int) -> list[EmailMessage]:
        """Send the daily issue of a newsletter; return its emails."""
        self.house.clock.pass_(hours=1)
        with contextlib.suppress(StateConflict):  # no release waits for anybody
            self.house.send(Frequency.DAILY, newsletter=newsletter)
        return self.work()

    def topics(self, address: str = ANN) -> set[str]:
        """Return the topics that are ticked on the preferences page of the newest link to it."""
        newest = next(mail for mail in reversed(self.mails) if mail["To"] == address and has_link(mail))
        page = self.get(link(newest, "preferences")).text
        return set(re.findall(r'<input checked id="topic-([\w-]+)-wanted"', page))


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def link(mail: EmailMessage, kind: str) -> str:
    found = re.search(rf"{re.escape(SITE)}/{kind}/\S+", text_of(mail))
    assert found, f"no link to /{kind}"
    return found.group(0)


def has_link(mail: EmailMessage) -> bool:
    return f"{SITE}/preferences/" in text_of(mail)


def mailto_of(mail: EmailMessage) -> str:
    found = re.search(r"mailto:([^?>]+)", mail["List-Unsubscribe"])
    assert found
    return found.group(1)


def one_click(mail: EmailMessage) -> str:
    found = re.search(r"<(https:[^>]+)>", mail["List-Unsubscribe"])
    assert found
    return found.group(1)


@pytest.fixture
def roof(house: House) -> Roof:
    return make_roof(house)


def make_roof(house: House) -> Roof:
    """Return an installation with the first newsletter and `harbour` (id 2), with two topics each."""
    settings = house.runtime.settings
    with house.runtime.session() as session:
        edit_newsletter(session, settings, {"name": "Town Letter"}, actor="test", now=house.clock())
        made = add_newsletter(
            session, settings, slug="harbour", fields=HARBOUR, actor="test", now=house.clock()
        )
        assert made.id == 2
        session.commit()
    house.topic("energy")
    house.topic("schools")
    house.topic("quays", "ferry", newsletter=2)
    house.topic("boats", newsletter=2)
    app = create_app(settings, now=house.clock, wake=lambda _lane: None)
    return Roof(house, app.test_client())


def test_a_person_has_two_newsletters_and_leaves_one(roof):
    first_page = roof.get("/").text
    assert (
        "Town Letter" in first_page and "/n/harbour" in first_page and "News from the harbour." in first_page
    )

    # Two sign-ups before either is confirmed: two emails, each from its newsletter.
    assert roof.sign_up("/n/news", "energy").status_code == 303
    asked = roof.sign_up("/n/harbour", "quays")
    assert "desk@harbour.example" in roof.get(asked.location).text
    town, harbour = roof.work()
    assert (town["From"].addresses[0].addr_spec, town["Subject"]) == (
        "letter@example.org",
        "Please confirm: Town Letter",
    )
    assert (harbour["From"].addresses[0].addr_spec, harbour["Subject"]) == (
        "desk@harbour.example",
        "Please confirm: Harbour Letter",
    )
    assert f"{SITE}/n/harbour" in text_of(harbour) and "Quays" in text_of(harbour)

    # Each link confirms its own newsletter only.
    page = roof.get(link(harbour, "confirm")).text
    assert "Quays" in page and "Energy" not in page and "Harbour Letter" in page
    assert roof.fill(link(harbour, "confirm")).status_code == 303
    roof.house.release("Energy prices fall")
    assert roof.digest(1) == []
    assert roof.fill(link(town, "confirm")).status_code == 303

    # One release is in both newsletters, and both digests have it.
    roof.house.release("A ferry runs on new energy")
    (of_town,) = roof.digest(1)
    (of_harbour,) = roof.digest(2)
    for mail in (of_town, of_harbour):
        assert "A ferry runs on new energy" in text_of(mail)
    assert of_town["List-Id"] == "Town Letter <letter.news.example.org>"
    assert of_harbour["List-Id"] == "Harbour Letter <harbour.letter.news.example.org>"
    assert of_town["Feedback-ID"].count(":") == 2
    assert ":digest:harbour:" in of_harbour["Feedback-ID"]
    assert roof.topics() == {"energy", "quays"}

    # One click in the harbour's digest ends the harbour's newsletter only.
    answer = roof.post(one_click(of_harbour), {"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, answer.text) == (200, "Unsubscribed.\n")
    assert roof.topics() == {"energy"}
    roof.house.release("The ferry saves energy")
    assert roof.digest(2) == []
    assert "The ferry saves energy" in text_of(roof.digest(1)[0])

    # The page of that link says what ended, and undoes exactly this.
    left = roof.get(link(of_harbour, "unsubscribe")).text
    assert "You are unsubscribed from Harbour Letter" in left
    undo = re.search(r'action="(/undo/[^"]+)"', left)
    assert undo
    assert roof.fill(link(of_harbour, "unsubscribe"), to=undo.group(1)).status_code == 303
    assert roof.topics() == {"energy", "quays"}
    (missed,) = roof.digest(2)
    assert "The ferry saves energy" in text_of(missed)


def test_the_page_offers_a_topic_a_newsletter_and_everything(roof):
    roof.join("/n/news", "energy")
    roof.join("/n/harbour", "quays")
    roof.join("/n/harbour", "boats")
    roof.house.release("A ferry and more boats with energy")
    (mail,) = roof.digest(2)
    page = roof.get(link(mail, "unsubscribe")).text

    assert "Unsubscribe from Harbour Letter?" in page
    assert "You also get: Town Letter" in page
    assert "Energy" not in page

    roof.fill(link(mail, "unsubscribe"), topic="boats", page="yes")
    assert roof.topics() == {"energy", "quays"}
    done = roof.fill(link(mail, "unsubscribe"), page="yes").text
    assert "You are unsubscribed from Harbour Letter" in done
    assert "Your other newsletters continue as before" in done
    assert roof.topics() == {"energy"}
    again = roof.fill(link(mail, "unsubscribe"), page="yes", newsletter="all newsletters").text
    assert "We send no more issues to" in again
    assert roof.topics() == set()
    told = [each for each in roof.work() if "unsubscribed from" in each["Subject"]]
    assert [each["Subject"] for each in told] == ["You have unsubscribed from Town Letter"]


def test_an_email_to_the_address_of_a_newsletter_ends_that_newsletter(house):
    settings = replace(house.runtime.settings, unsubscribe_address="leave@news.example.org")
    house.runtime = Runtime(settings, now=house.clock)
    roof = make_roof(house)
    roof.join("/n/news", "energy")
    roof.join("/n/harbour", "quays")
    roof.house.release("The ferry")
    (mail,) = roof.digest(2)

    done = take_in(house.runtime, b"From: ann@example.org\r\n\r\n", [mailto_of(mail)], ANN)

    assert done == ["left"]
    assert roof.topics() == {"energy"}


def test_a_link_from_before_there_were_several_newsletters_ends_everything(roof):
    roof.join("/n/news", "energy")
    roof.join("/n/harbour", "quays")
    roof.house.release("Energy prices fall")
    (mail,) = roof.digest(1)
    tokens, now = roof.house.runtime.tokens, roof.house.clock()
    payload = tokens.read(Purpose.UNSUBSCRIBE, one_click(mail).rpartition("/")[2], now)
    old = f"/unsubscribe/{tokens.make(Purpose.UNSUBSCRIBE, payload[:2], now)}"

    page = roof.get(old).text
    assert "Unsubscribe from all our newsletters?" in page and "Or only from one newsletter" in page
    roof.post(old, {"List-Unsubscribe": "One-Click"})

    assert roof.topics() == set()


def test_a_former_subscriber_confirms_each_newsletter_by_an_email_of_its_own(roof):
    roof.join("/n/news", "energy")
    roof.join("/n/harbour", "quays")
    roof.house.release("Energy for a ferry")
    (mail,) = roof.digest(2)
    roof.fill(link(mail, "unsubscribe"), page="yes", newsletter="all newsletters")
    roof.work()
    assert roof.topics() == set()
    roof.house.clock.pass_(days=1)

    wanted = {"topic-energy-wanted": "y", "topic-boats-wanted": "y"}
    often = {f"topic-{slug}-frequency": "weekly" for slug in ("energy", "schools", "quays", "boats")}
    zone = {"language": "en", "time_zone": "UTC", "preferred_hour": ""}
    assert roof.fill(link(mail, "preferences"), **wanted, **often, **zone).status_code == 303
    town, harbour = roof.work()

    assert (town["Subject"], harbour["Subject"]) == (
        "Please confirm: Town Letter",
        "Please confirm: Harbour Letter",
    )
    roof.fill(link(harbour, "confirm"))
    assert roof.topics() == {"boats"}


def test_preferences_show_the_newsletters_of_a_person_first_and_leaving_one_there_sends_its_email(roof):
    roof.join("/n/harbour", "quays")
    roof.join("/n/news", "energy")
    roof.house.release("Energy for a ferry")
    (mail,) = roof.digest(2)
    page = roof.get(link(mail, "preferences")).text
    assert page.count('<details class="newsletter" open>') == 2

    often = {f"topic-{slug}-frequency": "daily" for slug in ("energy", "schools", "quays", "boats")}
    zone = {"language": "en", "time_zone": "UTC", "preferred_hour": ""}
    saved = roof.fill(link(mail, "preferences"), **{"topic-energy-wanted": "y"}, **often, **zone)

    assert saved.status_code == 303 and "news=saved" in saved.location
    (told,) = roof.work()
    assert told["Subject"] == "You have unsubscribed from Harbour Letter"
    page = roof.get(link(mail, "preferences")).text
    assert page.index("Town Letter</h2>") < page.index("Harbour Letter</h2>")
    assert page.count('<details class="newsletter" open>') == 1
    assert roof.fill(link(told, "undo")).status_code == 303
    assert roof.topics() == {"energy", "quays"}


@pytest.mark.parametrize(
    "path", ["/n/nothing", "/n/", "/n/harbour/no", "/n/harbour%00", "/n/nothing/releases"]
)
def test_unknown_newsletters_are_not_found(roof, path):
    assert roof.get(path).status_code == 404
    assert roof.post(path).status_code in {400, 404, 405}


def test_a_slug_in_capital_letters_leads_to_the_newsletter(roof):
    answer = roof.get("/n/Harbour/releases?topic=quays")

    assert (answer.status_code, answer.location) == (308, "/n/harbour/releases?topic=quays")


def test_a_slash_at_the_end_changes_nothing(roof):
    assert "News from the harbour." in roof.get("/n/harbour/").text
    assert roof.sign_up("/n/harbour/", "quays").status_code == 303


def test_a_topic_of_another_newsletter_is_refused(roof):
    answer = roof.sign_up("/n/harbour", "energy")

    assert answer.status_code == 422 and "One of these topics no longer exists" in answer.text
    assert roof.work() == []


def test_a_confirmation_of_one_newsletter_never_confirms_another(roof):
    roof.sign_up("/n/harbour", "quays")
    (mail,) = roof.work()
    roof.sign_up("/n/news", "energy")
    (other,) = roof.work()
    tokens, now = roof.house.runtime.tokens, roof.house.clock()
    public_id, proof, upto, number = tokens.read(
        Purpose.CONFIRM, link(other, "confirm").rpartition("/")[2], now
    )
    assert number == 1

    for shape in (
        [public_id, proof, upto, 1, 2],
        [public_id, proof, upto, "2"],
        [public_id, proof, upto, None],
    ):
        answer = roof.get(f"/confirm/{tokens.make(Purpose.CONFIRM, shape, now)}?newsletter=harbour")
        assert answer.status_code == 404

    page = roof.get(f"{link(mail, 'confirm')}?newsletter=news").text
    assert "Quays" in page and "Energy" not in page and "Harbour Letter" in page
    assert roof.fill(link(mail, "confirm")).status_code == 303
    roof.house.release("Energy for a ferry")
    assert roof.digest(1) == []


def test_old_pages_and_links_lead_to_the_first_newsletter(roof):
    assert roof.get("/?topic=quays&frequency=daily").location == "/n/harbour?topic=quays&frequency=daily"
    page = roof.fill("/n/news", to="/", email=ANN, topics=["energy"], frequency="daily")
    assert page.status_code == 303
    (mail,) = roof.work()
    assert mail["Subject"] == "Please confirm: Town Letter"
    refused = roof.fill("/n/news", to="/", email="ann", topics=["energy"], frequency="daily")
    assert refused.status_code == 422 and 'action="/n/news"' in refused.text


def test_a_newsletter_has_an_archive_and_a_feed_of_its_own(roof):
    roof.house.release("Energy prices fall")
    roof.house.release("The ferry is late")

    shared, own = roof.get("/releases").text, roof.get("/n/harbour/releases").text
    assert "Energy prices fall" in shared and "The ferry is late" in shared
    assert "The ferry is late" in own and "Energy prices fall" not in own
    assert '<a class="brand" href="/n/harbour">' in own
    feed = roof.get("/n/harbour/releases.atom").text
    assert "<title>Harbour Letter</title>" in feed and f"{SITE}/n/harbour/releases.atom" in feed
    assert "The ferry is late" in feed and "Energy prices fall" not in feed
    assert roof.get("/n/harbour/releases?topic=energy").status_code == 404


def test_the_form_begins_with_the_usual_frequency_and_the_wording_of_its_newsletter(roof):
    with roof.house.runtime.session() as session:
        changes = {"default_frequency": "daily", "consent": "I want the harbour's news."}
        edit_newsletter(
            session,
            roof.house.runtime.settings,
            changes,
            actor="test",
            now=roof.house.clock(),
            newsletter_id=2,
        )
        session.commit()
    page = roof.get("/n/harbour").text

    assert "I want the harbour&#39;s news." in page
    assert re.search(r"<input checked[^>]*value=\"daily\"", page)
    assert re.search(r"<input checked[^>]*value=\"weekly\"", roof.get("/n/news").text)


def test_a_form_on_another_website_is_for_its_newsletter(house):
    house.runtime = Runtime(
        replace(house.runtime.settings, embed_origins=("https://shop.example",)), now=house.clock
    )
    roof = make_roof(house)
    fields = {"email": ANN, "topics": ["quays"], "frequency": "daily", "website": ""}
    answer = roof.post("/n/harbour/embed", fields, headers={"Origin": "https://shop.example"})

    assert answer.status_code == 303
    (mail,) = roof.work()
    assert mail["Subject"] == "Please confirm: Harbour Letter"
    wrong = roof.post("/subscribe/embed", fields, headers={"Origin": "https://shop.example"})
    assert wrong.status_code == 422


def test_with_one_newsletter_no_page_names_it_in_its_url(house):
    house.topic("energy")
    app = create_app(house.runtime.settings, now=house.clock, wake=lambda _lane: None)
    roof = Roof(house, app.test_client())

    assert roof.get("/n/news?topic=energy").location == "/?topic=energy"
    assert roof.get("/n/news/releases").location == "/releases"
    assert roof.get("/n/harbour").status_code == 404
    for path in ("/", "/releases", "/check-inbox", "/privacy", "/link"):
        assert "/n/" not in roof.get(path).text, path
