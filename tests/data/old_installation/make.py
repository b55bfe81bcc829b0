"""Make the files beside this one, with the code of commit 94b2879. The README says how to run it.

It uses the web pages and the outbox worker of that commit, so the rows and links are what that code wrote.
"""

from __future__ import annotations

import email
import email.policy
import html
import json
import os
import re
import socket
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from newsletter.ingest.parse_press import PressRelease
from newsletter.ingest.store import add_release
from newsletter.ingest.topics import add_topic
from newsletter.subscriptions.reminders import remind
from newsletter.subscriptions.signup import resolve_signups
from newsletter.subscriptions.suppressions import suppress_by_hand

from newsletter.accounts.create import create_account
from newsletter.accounts.passwords import hash_password
from newsletter.app import create_app
from newsletter.cli import main
from newsletter.digest.issues import Preparer, open_issue
from newsletter.models import (
    Frequency,
    Issue,
    IssueState,
    Lane,
    ReleaseState,
    RuleField,
    SignupRequest,
    Subscriber,
)
from newsletter.outbox import steer
from newsletter.outbox.drain.worker import drain
from newsletter.runtime import Runtime
from newsletter.settings import load_settings
from newsletter.smtp.outcomes import Fate, Outcome, Step
from newsletter.smtp.replies import Reply
from newsletter.smtp.transport import MemoryTransport

HERE = Path(__file__).parent
SITE = "https://news.example.org"
# The test puts the host and the boot id of its own machine in the place of these.
HOST, BOOT = "the-old-host", "00000000-1111-2222-3333-444444444444"
OTHERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


class Clock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def pass_(self, **span: float) -> None:
        self.moment += timedelta(**span)


class Cut(BaseException):
    """The worker is killed in the middle of a message."""


class Killed(MemoryTransport):
    """Accepts `count` messages, then ends the process after the next one's content has left."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def _deliver(self, envelope: Any, content: bytes) -> Outcome:
        if len(self.sent) == self.count:
            raise Cut(envelope.recipient)
        return super()._deliver(envelope, content)


class Maker:
    """The installation, a browser in front of it, and every message it sent."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        environ = json.loads((HERE / "environ.json").read_text())
        environ["NEWSLETTER_DATA_DIR"] = str(folder)
        made = CliRunner().invoke(main, ["db", "upgrade"], env=environ)
        assert made.exit_code == 0, made.output
        self.settings = load_settings(environ)
        self.runtime = Runtime(self.settings, now=self.clock)
        self.app = create_app(self.settings, now=self.clock, wake=lambda lane: None)
        self.transport = MemoryTransport()
        self.visitors = 0

    def browser(self) -> Browser:
        self.visitors += 1
        return Browser(self, f"198.51.{self.visitors // 200}.{self.visitors % 200 + 1}")

    def resolve(self) -> None:
        with self.runtime.session() as session:
            resolve_signups(session, self.runtime.tokens, self.clock())
            session.commit()
        drain(self.runtime, self.transport, lane=Lane.SINGLE)

    def message(self, address: str, which: int = -1) -> email.message.EmailMessage:
        found = [each for each in self.transport.sent if each.envelope.recipient == address]
        return email.message_from_bytes(found[which].content, policy=email.policy.default)

    def link(self, address: str, kind: str, which: int = -1) -> str:
        """Return the first link of this kind in an email to `address`, the newest one with such a link."""
        found = [each.content for each in self.transport.sent if each.envelope.recipient == address]
        links = []
        for content in found:
            message = email.message_from_bytes(content, policy=email.policy.default)
            text = message.get_body(("plain",)).get_content()
            links += re.findall(rf"{re.escape(SITE)}/{kind}/[\w.=-]+", text)[:1]
        return links[which]

    def sign_up(self, address: str, **fields: Any) -> None:
        chosen = {"topics": ["energy"], "frequency": "weekly", **fields}
        done = self.browser().fill("/", email=address, **chosen)
        assert done.status_code == 303, done.text
        self.resolve()

    def join(self, address: str, **fields: Any) -> None:
        self.sign_up(address, **fields)
        done = self.browser().fill(path_of(self.link(address, "confirm")))
        assert done.status_code == 303, done.text
        drain(self.runtime, self.transport, lane=Lane.SINGLE)

    def preferences(self, address: str) -> str:
        """Request the link to the preferences by email, as a subscriber does; return its path."""
        self.browser().fill("/link", email=address)
        self.resolve()
        return path_of(self.link(address, "preferences"))

    def release(self, title: str, state: ReleaseState = ReleaseState.READY) -> None:
        press = PressRelease(
            title, "Port of Halmstrand", self.clock().date(), "en", (f"{title}. It opens on Monday.",)
        )
        with self.runtime.session() as session:
            add_release(session, press, now=self.clock(), state=state)
            session.commit()

    def open(self, *frequencies: Frequency, prepare: bool = True, **more: Any) -> int:
        with self.runtime.session() as session:
            issue = open_issue(session, frequencies, actor="owner@example.org", now=self.clock(), **more)
            session.commit()
            issue_id = issue.id
        preparer, going_on = Preparer(self.runtime.press, issue_id), prepare
        while going_on:
            with self.runtime.session() as session:
                going_on = preparer.step(session, self.clock())
                session.commit()
        return issue_id


class Browser:
    """A visitor from an address of their own."""

    def __init__(self, maker: Maker, ip_address: str) -> None:
        self.maker = maker
        self.client = maker.app.test_client()
        self.more: dict[str, Any] = {
            "base_url": SITE,
            "environ_overrides": {"REMOTE_ADDR": ip_address},
        }

    def get(self, path: str) -> Any:
        return self.client.get(path, **self.more)

    def post(self, path: str, data: Any = None) -> Any:
        return self.client.post(path, data=data, **self.more)

    def fill(self, path: str, to: str = "", **fields: Any) -> Any:
        page = self.get(path).text
        hidden = {}
        for tag in re.findall(r"<input[^>]*>", page):
            attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            if attributes.get("type") == "hidden":
                hidden[attributes["name"]] = html.unescape(attributes.get("value", ""))
        self.maker.clock.pass_(seconds=20)
        return self.post(path + to, {**hidden, **fields})


def path_of(url: str) -> str:
    return url.removeprefix(SITE)


def address(name: str) -> str:
    return f"{name}@example.org"


def make(folder: Path) -> None:
    maker = Maker(folder)
    links: dict[str, str] = {}
    with maker.runtime.session() as session:
        for slug in ("energy", "sea", "science"):
            add_topic(
                session,
                slug=slug,
                name=slug.title(),
                rules=[(RuleField.WORDS, slug)],
                now=maker.clock(),
            )
        owner = create_account(
            session,
            "owner@example.org",
            hash_password("correct horse battery"),
            "command line",
            maker.clock(),
        )
        owner.must_change = False
        create_account(
            session, "editor@example.org", hash_password("one-time staple"), "command line", maker.clock()
        )
        session.commit()

    # The people on the list, each in another state.
    maker.join(address("ann"), topics=["energy", "sea"], frequency="weekly")
    maker.join(address("ben"), topics=["energy"], language="de")
    maker.join(address("gus"), topics=["energy"])
    maker.join(address("eve"), topics=["energy", "sea"])
    maker.join(address("fay"), topics=["energy"])
    maker.join(address("hal"), topics=["energy"])
    maker.join(address("ida"), topics=["energy"])
    maker.join(address("jon"), topics=["energy"])
    maker.join(address("joy"), topics=["sea"], frequency="daily")
    maker.join(address("kim"), topics=["energy"])
    maker.join(address("meg"), topics=["energy"])
    maker.join(address("ned"), topics=["energy"], frequency="monthly")
    maker.join(address("oli"), topics=["sea"], frequency="daily")
    for name in OTHERS:
        maker.join(address(name), topics=["energy"])
    maker.sign_up(address("bob"))
    links["confirm"] = maker.link(address("bob"), "confirm")
    maker.sign_up(address("cyd"))
    links["not_me"] = maker.link(address("cyd"), "not-me")
    maker.sign_up(address("leo"))
    maker.browser().fill(path_of(maker.link(address("leo"), "not-me")))
    links["not_me_pressed"] = maker.link(address("leo"), "not-me")
    maker.sign_up(address("dan"))
    # Ann's choices differ by topic.
    own = maker.preferences(address("ann"))
    links["preferences"] = SITE + own
    done = maker.browser().fill(
        own,
        **{
            "topic-energy-wanted": "y", "topic-energy-frequency": "weekly",
            "topic-sea-wanted": "y", "topic-sea-frequency": "daily",
            "topic-science-wanted": "y", "topic-science-frequency": "monthly",
        },
    )  # fmt: skip
    assert done.status_code == 303, done.text

    # The first issue goes out to its end. Meg's mailbox does not exist.
    maker.clock.pass_(days=1)
    maker.release("Energy from the sea")
    maker.transport.answer(address("meg"), Reply(550, ("5.1.1 no such user",)))
    maker.open(Frequency.WEEKLY, title="The first issue")
    drain(maker.runtime, maker.transport, lane=Lane.BULK)
    links["view"] = maker.link(address("ann"), "issues")
    links["unsubscribe"] = maker.link(address("ben"), "unsubscribe")
    digest = maker.message(address("one"))
    links["list_unsubscribe"] = re.findall(r"<(https:[^>]+)>", str(digest["List-Unsubscribe"]))[0]
    links["list_unsubscribe_mailto"] = re.findall(r"<mailto:([^?>]+)", str(digest["List-Unsubscribe"]))[0]
    sent_to_two = [each for each in maker.transport.sent if each.envelope.recipient == address("two")]
    links["return_path"] = sent_to_two[-1].envelope.return_path

    # What people did then.
    maker.clock.pass_(days=1)
    own = maker.preferences(address("gus"))
    assert maker.browser().fill(own, "/pause", weeks="4").status_code == 303
    links["preferences_paused"] = SITE + own
    leaving = path_of(maker.link(address("eve"), "unsubscribe"))
    assert "/undo/" in maker.browser().fill(leaving, page="yes").text
    maker.resolve()
    links["undo"] = maker.link(address("eve"), "undo")
    leaving = path_of(maker.link(address("fay"), "unsubscribe"))
    browser = maker.browser()
    page = browser.fill(leaving, page="yes").text
    undo = re.findall(r"/undo/[\w.=-]+", page)[0]
    token = re.findall(r'name="csrf_token"[^>]*value="([^"]*)"', page)[0]
    assert browser.post(f"{undo}/reason", {"csrf_token": token, "reason": "too-many"}).status_code == 200
    maker.resolve()
    links["undo_with_reason"] = maker.link(address("fay"), "undo")
    own = maker.preferences(address("hal"))
    asked = maker.browser().fill(own, "/address", **{"move-email": address("hal.new")})
    assert asked.status_code == 303, asked.text
    maker.resolve()
    links["move"] = maker.link(address("hal.new"), "move")
    own = maker.preferences(address("ida"))
    links["preferences_before_move"] = SITE + own
    links["unsubscribe_before_move"] = maker.link(address("ida"), "unsubscribe")
    maker.browser().fill(own, "/address", **{"move-email": address("ida.new")})
    maker.resolve()
    assert maker.browser().fill(path_of(maker.link(address("ida.new"), "move"))).status_code == 200
    maker.resolve()
    links["move_back"] = maker.link(address("ida"), "move")
    own = maker.preferences(address("jon"))
    maker.browser().fill(own, "/address", **{"move-email": address("joy")})
    maker.resolve()
    assert maker.browser().fill(path_of(maker.link(address("joy"), "move"))).status_code == 200
    maker.resolve()
    own = maker.preferences(address("kim"))
    assert maker.browser().fill(own, "/erase", sure="y").status_code == 200
    with maker.runtime.session() as session:
        assert remind(session, maker.runtime.tokens, 24, 14, maker.clock()) >= 1
        suppress_by_hand(session, maker.runtime.tokens, address("pat"), "command line", maker.clock())
        session.commit()
    maker.resolve()
    links["confirm_from_reminder"] = maker.link(address("dan"), "confirm")
    links["export_and_erase"] = SITE + maker.preferences(address("ned"))
    maker.clock.pass_(hours=2)

    # A monthly issue that was cancelled, and a daily one that is not prepared yet.
    maker.release("Science of energy")
    issue_id = maker.open(Frequency.MONTHLY, title="The cancelled issue")
    with maker.runtime.session() as session:
        steer.cancel(session, session.get_one(Issue, issue_id), "owner@example.org", maker.clock())
        session.commit()

    # Nine wants issues at nine in the evening.
    with maker.runtime.session() as session:
        session.query(Subscriber).filter_by(email_key=address("nine")).one().preferred_hour = 21
        session.commit()

    # The half-sent issue: every state that a delivery can have, and a worker that was killed.
    maker.clock.pass_(hours=1)
    maker.release("Energy for the port")
    maker.transport.answer(address("one"), Reply(450, ("4.2.1 come back later",)))
    maker.transport.answer(address("two"), Reply(554, ("5.7.1 refused by policy",)))
    maker.transport.answer(address("three"), Outcome(Fate.UNCERTAIN, Step.CONTENT, None, "connection lost"))
    issue_id = maker.open(Frequency.WEEKLY, title="The half-sent issue", own_hour=True)
    stopped = Stop(maker, 6)
    drain(maker.runtime, stopped, lane=Lane.BULK, stopping=lambda: stopped.enough)
    killed = Killed(2)
    try:
        drain(maker.runtime, killed, lane=Lane.BULK)
    except Cut as cut:
        unanswered = str(cut)
    else:
        raise AssertionError("the worker was not killed")
    maker.transport.sent += killed.sent
    maker.clock.pass_(minutes=20)
    maker.release("Sea and sky")
    maker.open(Frequency.DAILY, title="The issue to prepare", prepare=False)
    maker.release("Energy on hold", ReleaseState.HELD)

    # Requests that no job has resolved yet.
    for path, fields in (
        ("/", {"email": address("sam"), "topics": ["sea"], "frequency": "daily"}),
        ("/", {"email": address("tom"), "topics": ["sea"], "frequency": "daily"}),
        ("/link", {"email": address("oli")}),
    ):
        assert maker.browser().fill(path, **fields).status_code == 303
    with maker.runtime.session() as session:
        # As if the brake on many sign-ups at once held this one.
        held = session.query(SignupRequest).filter_by(email_key=address("tom")).one()
        held.held_until = maker.clock() + timedelta(minutes=5)
        session.commit()

    write(maker, folder, links, unanswered)


class Stop(MemoryTransport):
    """The maker's transport; `enough` is true after `count` accepted messages of this drain."""

    def __init__(self, maker: Maker, count: int) -> None:
        super().__init__()
        self._given = maker.transport
        self._answers = self._given._answers
        self._until = len(self._given.sent) + count

    @property
    def enough(self) -> bool:
        return len(self._given.sent) >= self._until

    def _deliver(self, envelope: Any, content: bytes) -> Outcome:
        return self._given._deliver(envelope, content)


def write(maker: Maker, folder: Path, links: dict[str, str], unanswered: str) -> None:
    environ = {
        **json.loads((HERE / "environ.json").read_text()),
        "NEWSLETTER_DATA_DIR": str(folder),
    }

    def run(*command: str) -> str:
        done = CliRunner().invoke(main, list(command), env=environ)
        assert done.exit_code == 0, done.output
        return done.output

    (HERE / "consent-ann.json").write_text(run("subscriber", "consent", address("ann"), "--json"))
    with maker.runtime.session() as session:
        erased = session.query(Subscriber).filter(Subscriber.erased_at.is_not(None)).first()
        assert erased is not None
    (HERE / "consent-erased.json").write_text(run("subscriber", "consent", erased.public_id, "--json"))
    (HERE / "consent-key.pem").write_text(run("consent", "key"))
    with maker.runtime.session() as session:
        half = session.query(Issue).filter_by(title="The half-sent issue").one()
        assert half.state is IssueState.SENDING
        half_id, half_public_id = half.id, half.public_id
    maker.runtime.engine.dispose()
    base = sqlite3.connect(folder / "newsletter.sqlite3")
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    had = {
        name: state
        for name, state in base.execute(
            "SELECT coalesce(subscriber.email, ''), state FROM delivery JOIN subscriber "
            "ON subscriber.id = delivery.subscriber_id WHERE issue_id = ?",
            (half_id,),
        )
    }
    journals = list((folder / "journal").glob("*.journal"))
    assert len(journals) == 1, journals
    in_half = {
        each.envelope.recipient
        for each in maker.transport.sent
        if f"Feedback-ID: {half_public_id}:digest".encode() in each.content
    }
    facts = {
        "now": maker.clock().isoformat(),
        "links": links,
        "half_sent": {
            "public_id": half_public_id,
            "states": had,
            "sent": sorted(in_half),
            "unanswered": unanswered,
        },
    }
    (HERE / "links.json").write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    (HERE / journals[0].name).write_bytes(journals[0].read_bytes())
    (HERE / "dump.sql").write_text("\n".join(base.iterdump()) + "\n")


if __name__ == "__main__":
    socket.gethostname = lambda: HOST
    import newsletter.outbox.journals.journal as journal

    journal.BOOT_ID = HERE / "boot_id"
    journal.BOOT_ID.write_text(BOOT)
    os.umask(0o022)
    make(Path(sys.argv[1]))
    journal.BOOT_ID.unlink()
