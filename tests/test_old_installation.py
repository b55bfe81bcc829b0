"""Test that the rows and links of an old installation still work (tests/data/old_installation)."""

from __future__ import annotations

import email
import email.policy
import html
import json
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from click.testing import CliRunner, Result
from house import Clock
from memory_transport import MemoryTransport
from servers.postgresql import PostgreSQL
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Integer,
    MetaData,
    delete,
    insert,
    inspect,
    select,
    text,
)
from werkzeug.test import TestResponse

from newsletter.app import create_app
from newsletter.cli import main
from newsletter.digest.issues import open_issue
from newsletter.mail.verp import parse_return_path
from newsletter.models import (
    Delivery,
    Frequency,
    Issue,
    IssueState,
    Lane,
    Release,
    Subscriber,
    Subscription,
    SubscriptionState,
    Topic,
    db,
    open_engine,
)
from newsletter.newsletters.add import add_newsletter
from newsletter.outbox.control import cancel, resend_uncertain
from newsletter.outbox.drain.worker import drain
from newsletter.outbox.journals.journal import boot_id, host_name
from newsletter.releases.revisions.revise import revise
from newsletter.releases.revisions.store import Texts
from newsletter.releases.topics.manage import add_topic
from newsletter.runtime import Runtime, data_folder
from newsletter.service.incoming.apply import take_in
from newsletter.service.sending.send_round import judge_and_finish, send_round
from newsletter.settings import load_settings
from newsletter.subscribers.consent.head import verify_all
from newsletter.subscribers.signup.resolve import resolve_signups

OLD = Path(__file__).parent / "data" / "old_installation"
FACTS = json.loads((OLD / "links.json").read_text("utf-8"))
LINKS = FACTS["links"]
HALF_SENT = FACTS["half_sent"]
SITE = "https://news.example.org"


def environ_of(folder: Path, url: str = "") -> dict[str, str]:
    """Return the old settings, with the data in `folder` and the database at `url`; SQLite if it is empty."""
    given = json.loads((OLD / "environ.json").read_text("utf-8"))
    return {**given, "NEWSLETTER_DATA_DIR": str(folder), "NEWSLETTER_DATABASE_URL": url}


def restore(folder: Path, url: str = "") -> None:
    """Put the old database and the journal of its killed worker into `folder`, as if made on this machine.

    If `url` is given, the rows are put into this empty PostgreSQL database, with the tables of that time.
    """
    journal = next(OLD.glob("*.journal"))
    old_host = journal.name.rsplit("-", 2)[0]
    base = sqlite3.connect(folder / ("rows.sqlite3" if url else "newsletter.sqlite3"))
    base.executescript((OLD / "dump.sql").read_text("utf-8").replace(old_host, host_name()))
    if url:
        copy_rows(base, url)
    base.close()
    text = re.sub(r"^boot .*$", f"boot {boot_id()}", journal.read_text("utf-8"), flags=re.MULTILINE)
    there = folder / "journal" / journal.name.replace(old_host, host_name())
    there.parent.mkdir()
    there.write_text(text, "utf-8")


def copy_rows(base: sqlite3.Connection, url: str) -> None:
    """Make the tables of the old version in a PostgreSQL database, and copy every row of `base` into them."""
    (version,) = base.execute("SELECT version_num FROM alembic_version").fetchone()
    engine = open_engine(url)
    config = Config()
    config.set_main_option("script_location", str(data_folder("migrations")))
    config.attributes["engine"] = engine
    command.upgrade(config, version)
    with engine.begin() as connection:
        # The rows refer to each other, in no order of the tables.
        connection.exec_driver_sql("SET session_replication_role = replica")
        tables = MetaData()
        tables.reflect(connection)
        for table in tables.sorted_tables:
            connection.execute(delete(table))
            names = [column.name for column in table.columns]
            rows = base.execute(f"SELECT {', '.join(names)} FROM {table.name}").fetchall()
            values = [
                {
                    column.name: in_postgresql(column, each)
                    for column, each in zip(table.columns, row, strict=True)
                }
                for row in rows
            ]
            if values:
                connection.execute(insert(table), values)
            if "id" in table.columns and isinstance(table.columns["id"].type, Integer):
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "
                    f"(SELECT coalesce(max(id), 1) FROM {table.name}))"
                )
    engine.dispose()


def in_postgresql(column: Column[Any], value: Any) -> Any:
    """Return a value that SQLite has stored as the value for a column of PostgreSQL."""
    if value is None:
        return None
    if isinstance(column.type, DateTime):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    if isinstance(column.type, Date):
        return date.fromisoformat(value)
    if isinstance(column.type, Boolean):
        return bool(value)
    return json.loads(value) if isinstance(column.type, JSON) else value


@dataclass
class Upgraded:
    """The old installation with today's code: its pages, and the emails that it sends from now on."""

    environ: dict[str, str]
    clock: Clock
    runtime: Runtime
    visitor: Any
    transport: MemoryTransport = field(default_factory=MemoryTransport)

    def run(self, *command: str) -> Result:
        return CliRunner().invoke(main, list(command), env=self.environ)

    def get(self, link: str) -> TestResponse:
        return self.visitor.get(link.removeprefix(SITE), base_url=SITE)

    def post(self, link: str, **fields: str) -> TestResponse:
        return self.visitor.post(link.removeprefix(SITE), data=fields, base_url=SITE)

    def press(self, link: str, to: str = "", **fields: str) -> TestResponse:
        """Open a page, which must be there, and send its form with these fields."""
        page = self.get(link)
        assert page.status_code == 200, page.text
        hidden = {}
        for tag in re.findall(r"<input[^>]*>", page.text):
            attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
            if attributes.get("type") == "hidden":
                hidden[attributes["name"]] = html.unescape(attributes.get("value", ""))
        self.clock.pass_(seconds=20)
        return self.post(link + to, **{**hidden, **fields})

    def subscriptions(self, name: str) -> dict[str, str]:
        """Return a subscriber's active topics, each with its frequency."""
        query = (
            select(Topic.slug, Subscription.frequency)
            .join(Subscription, Subscription.topic_id == Topic.id)
            .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
            .where(
                Subscriber.email_key == f"{name}@example.org",
                Subscription.state == SubscriptionState.ACTIVE,
            )
        )
        with self.runtime.reading() as session:
            return {slug: str(frequency) for slug, frequency in session.execute(query)}

    def subscriber(self, name: str) -> Subscriber | None:
        with self.runtime.reading() as session:
            return session.scalar(select(Subscriber).where(Subscriber.email_key == f"{name}@example.org"))

    def issue(self, title: str) -> Issue:
        with self.runtime.reading() as session:
            return session.scalars(select(Issue).where(Issue.title == title)).one()

    def send(self) -> None:
        """Prepare and send the digests that are due."""
        send_round(self.runtime, lambda _: self.transport, lambda: False)
        judge_and_finish(self.runtime)

    def open(self, frequency: Frequency, title: str) -> None:
        with self.runtime.session() as session:
            open_issue(session, [frequency], actor="test", now=self.clock(), title=title)
            session.commit()
        self.send()

    def send_single_emails(self) -> None:
        with self.runtime.session() as session:
            resolve_signups(session, self.runtime.tokens, self.clock())
            session.commit()
        drain(self.runtime, lambda _: self.transport, lane=Lane.SINGLE)

    def recipients(self, text: str = "", title: str | None = None) -> Counter[str]:
        """Return how many emails with `text` (or digests of the issue `title`) each name was sent."""
        mark = f"{self.issue(title).public_id}:digest" if title else ""
        return Counter(
            each.envelope.recipient.partition("@")[0]
            for each in self.transport.sent
            if mark in each.content.decode() and text in plain_text(each.content)
        )

    def link(self, name: str, kind: str) -> str:
        """Return the newest link of a kind in the emails to `name`."""
        texts = [
            plain_text(each.content)
            for each in self.transport.sent
            if each.envelope.recipient == f"{name}@example.org"
        ]
        return re.findall(rf"{re.escape(SITE)}/{kind}/[\w.=-]+", "\n".join(texts))[-1]


def plain_text(content: bytes) -> str:
    message = email.message_from_bytes(content, policy=email.policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    return f"{message['Subject']}\n{body.get_content()}"


@dataclass
class Files:
    """The old installation after its upgrade, to be copied, and what the command printed."""

    folder: Path
    upgrades: list[Result]
    # Of a PostgreSQL database.
    database: str = ""
    server: PostgreSQL | None = None


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The old installation, upgraded twice."""
    folder = tmp_path_factory.mktemp("old")
    server: PostgreSQL | None = None
    database = url = ""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        database = server.create_database()
        url = server.url(database)
    restore(folder, url)
    environ = environ_of(folder, url)
    upgrades = [CliRunner().invoke(main, ["db", "upgrade"], env=environ) for _ in range(2)]
    return Files(folder, upgrades, database, server)


@pytest.fixture
def old(files: Files, tmp_path: Path) -> Iterator[Upgraded]:
    """The old installation, upgraded, a minute after its last change."""
    shutil.copytree(files.folder, tmp_path, dirs_exist_ok=True)
    clock = Clock(datetime.fromisoformat(FACTS["now"]) + timedelta(minutes=1))
    database = files.server.create_database(files.database) if files.server else ""
    environ = environ_of(tmp_path, files.server.url(database) if files.server else "")
    settings = load_settings(environ)
    runtime = Runtime(settings, now=clock)
    app = create_app(settings, now=clock, wake=lambda _lane: None)
    yield Upgraded(environ, clock, runtime, app.test_client())
    runtime.engine.dispose()
    with app.app_context():
        db.engine.dispose()
    if files.server:
        files.server.drop_database(database)


def test_the_database_is_upgraded_once(files: Files) -> None:
    first, second = files.upgrades

    assert (first.exit_code, second.exit_code) == (0, 0), first.output
    assert "from 0002 to" in first.output
    assert "up to date" in second.output


def test_the_upgrade_keeps_every_row_and_every_reference(files: Files, tmp_path: Path) -> None:
    restore(tmp_path)
    before = open_engine(f"sqlite:///{tmp_path / 'newsletter.sqlite3'}")
    url = files.server.url(files.database) if files.server else ""
    after = open_engine(url or f"sqlite:///{files.folder / 'newsletter.sqlite3'}")
    tables = inspect(before).get_table_names()

    with before.connect() as one, after.connect() as other:
        counts = [
            {name: base.scalar(text(f"SELECT count(*) FROM {name}")) for name in tables}
            for base in (one, other)
        ]
        # PostgreSQL copied the rows without checking their references.
        broken = broken_references(other)
    before.dispose()
    after.dispose()

    assert broken == []
    assert counts[0] == counts[1]
    assert len(tables) > 20


def broken_references(connection: Connection) -> list[str]:
    """Return the foreign keys that have a row without the row that it refers to."""
    found = []
    inspector = inspect(connection)
    for table in inspector.get_table_names():
        for key in inspector.get_foreign_keys(table):
            pairs = list(zip(key["constrained_columns"], key["referred_columns"], strict=True))
            given = " AND ".join(f"a.{own} IS NOT NULL" for own, _ in pairs)
            same = " AND ".join(f"b.{theirs} = a.{own}" for own, theirs in pairs)
            there = f"SELECT 1 FROM {key['referred_table']} b WHERE {same}"
            if connection.scalar(
                text(f"SELECT count(*) FROM {table} a WHERE {given} AND NOT EXISTS ({there})")
            ):
                found.append(f"{table}: {key['constrained_columns']}")
    return found


@pytest.mark.parametrize("name", ["confirm", "confirm_from_reminder"])
def test_a_confirmation_link_confirms(old: Upgraded, name: str) -> None:
    who = {"confirm": "bob", "confirm_from_reminder": "dan"}[name]
    before = old.subscriptions(who)

    done = old.press(LINKS[name])

    assert (before, done.status_code) == ({}, 303)
    assert old.subscriptions(who) == {"energy": "weekly"}


def test_a_link_of_a_person_who_did_not_ask_ends_the_request(old: Upgraded) -> None:
    done = old.press(LINKS["not_me"])

    assert done.status_code in {200, 303}
    assert old.subscriber("cyd") is None
    assert old.get(LINKS["not_me"]).status_code == 200


def test_a_person_who_said_that_they_did_not_ask_can_undo_it(old: Upgraded) -> None:
    done = old.press(LINKS["not_me_pressed"], act="own")
    old.clock.pass_(hours=1)
    old.press("/", email="leo@example.org", topics="sea", frequency="weekly")
    old.send_single_emails()

    assert done.status_code in {200, 303}
    assert old.recipients()["leo"] == 1


def test_a_preferences_link_shows_and_changes_the_choices(old: Upgraded) -> None:
    shown = old.get(LINKS["preferences"])
    chosen = {f"topic-{slug}-frequency": "daily" for slug in ("energy", "sea", "science")}

    done = old.press(LINKS["preferences"], **chosen, **{"topic-energy-wanted": "y"})

    assert "a…@example.org" in shown.text
    assert done.status_code == 303
    assert old.subscriptions("ann") == {"energy": "daily"}


def test_a_pause_ends_by_the_preferences_link(old: Upgraded) -> None:
    before = old.subscriber("gus")

    done = old.press(LINKS["preferences_paused"], "/resume")
    after = old.subscriber("gus")

    assert done.status_code == 303
    assert before is not None and before.snoozed_until is not None
    assert after is not None and after.snoozed_until is None


def test_a_preferences_link_leads_to_export_and_erasure(old: Upgraded) -> None:
    asked = [old.press(LINKS["export_and_erase"], f"/ask/{right}") for right in ("export", "erase")]
    old.send_single_emails()

    exported = old.press(old.link("ned", "export"))
    erased = old.press(old.link("ned", "erase"), sure="y")

    assert [each.status_code for each in asked] == [303, 303]
    assert json.loads(exported.text)["profile"]["address"] == "ned@example.org"
    assert erased.status_code == 200
    assert old.subscriber("ned") is None


def test_an_unsubscribe_link_unsubscribes_and_can_be_undone(old: Upgraded) -> None:
    done = old.press(LINKS["unsubscribe"], page="yes")
    after = old.subscriptions("ben")
    undone = old.press(re.findall(r"/undo/[\w.=-]+", done.text)[0])

    assert (done.status_code, after) == (200, {})
    assert undone.status_code == 303
    assert old.subscriptions("ben") == {"energy": "weekly"}


def test_the_one_click_of_a_mailbox_provider_unsubscribes(old: Upgraded) -> None:
    done = old.post(LINKS["list_unsubscribe"], **{"List-Unsubscribe": "One-Click"})

    assert done.status_code == 200
    assert old.subscriptions("one") == {}


def test_an_email_to_the_unsubscribe_address_unsubscribes(old: Upgraded) -> None:
    raw = b"From: one@example.org\r\nSubject: unsubscribe\r\n\r\n\r\n"

    done = take_in(old.runtime, raw, [LINKS["list_unsubscribe_mailto"]], "one@example.org")

    assert done == ["left"]
    assert old.subscriptions("one") == {}


def add_harbour(old: Upgraded, *names: str) -> None:
    """Add a second newsletter, to which these people sign up and which they confirm."""
    fields = {"name": "Harbour Letter", "from_address": "desk@harbour.example"}
    settings, now = old.runtime.settings, old.clock()
    with old.runtime.session() as session:
        made = add_newsletter(session, settings, slug="harbour", fields=fields, actor="test", now=now)
        add_topic(
            session, slug="quays", name="Quays", rules=[], actor="test", now=now
        ).newsletter_id = made.id
        session.commit()
    old.clock.pass_(seconds=2)
    for name in names:
        asked = old.press("/n/harbour", email=f"{name}@example.org", topics="quays", frequency="weekly")
        assert asked.status_code == 303
        old.send_single_emails()
        assert old.press(old.link(name, "confirm")).status_code == 303
        assert "quays" in old.subscriptions(name)


def test_with_a_second_newsletter_an_old_one_click_still_ends_everything(old: Upgraded) -> None:
    add_harbour(old, "one")

    old.post(LINKS["list_unsubscribe"], **{"List-Unsubscribe": "One-Click"})

    assert old.subscriptions("one") == {}


def test_with_a_second_newsletter_an_old_unsubscribe_address_still_ends_everything(old: Upgraded) -> None:
    add_harbour(old, "one")

    take_in(old.runtime, b"From: one@example.org\r\n\r\n", [LINKS["list_unsubscribe_mailto"]])

    assert old.subscriptions("one") == {}


def test_with_a_second_newsletter_an_old_unsubscribe_page_still_ends_everything(old: Upgraded) -> None:
    add_harbour(old, "ben")
    page = old.get(LINKS["unsubscribe"]).text

    done = old.press(LINKS["unsubscribe"], page="yes")

    assert "Alle unsere Newsletter abbestellen?" in page
    assert old.subscriptions("ben") == {}
    undone = old.press(re.findall(r"/undo/[\w.=-]+", done.text)[0])
    assert undone.status_code == 303
    assert old.subscriptions("ben") == {"energy": "weekly", "quays": "weekly"}


def test_with_a_second_newsletter_an_old_confirmation_is_for_the_first(old: Upgraded) -> None:
    add_harbour(old)
    old.press("/n/harbour", email="bob@example.org", topics="quays", frequency="weekly")
    old.send_single_emails()
    newest = old.link("bob", "confirm")

    assert "Quays" not in old.get(LINKS["confirm"]).text
    old.press(LINKS["confirm"])
    assert old.subscriptions("bob") == {"energy": "weekly"}

    old.press(newest)
    assert old.subscriptions("bob") == {"energy": "weekly", "quays": "weekly"}


@pytest.mark.parametrize(
    ("name", "who", "topics"),
    [
        ("undo", "eve", {"energy": "weekly", "sea": "weekly"}),
        ("undo_with_reason", "fay", {"energy": "weekly"}),
    ],
)
def test_an_undo_link_restores_the_subscriptions(
    old: Upgraded, name: str, who: str, topics: dict[str, str]
) -> None:
    before = old.subscriptions(who)

    done = old.press(LINKS[name])

    assert (before, done.status_code) == ({}, 303)
    assert old.subscriptions(who) == topics


def test_a_link_at_the_new_address_changes_the_address(old: Upgraded) -> None:
    done = old.press(LINKS["move"])

    assert done.status_code == 200
    assert old.subscriber("hal") is None
    assert old.subscriptions("hal.new") == {"energy": "weekly"}


def test_a_link_at_the_old_address_undoes_a_change(old: Upgraded) -> None:
    done = old.press(LINKS["move_back"])

    assert done.status_code == 200
    assert old.subscriber("ida.new") is None
    assert old.subscriptions("ida") == {"energy": "weekly"}


def test_links_from_before_a_change_of_address_only_unsubscribe(old: Upgraded) -> None:
    choices = old.get(LINKS["preferences_before_move"])
    page = old.get(LINKS["unsubscribe_before_move"])

    old.press(LINKS["unsubscribe_before_move"])

    assert choices.status_code == 410
    assert (page.status_code, "i…@" in page.text) == (200, False)
    assert old.subscriptions("ida.new") == {}


def test_an_issue_opens_in_the_browser(old: Upgraded) -> None:
    page = old.get(LINKS["view"])

    assert page.status_code == 200
    assert "Energy from the sea" in page.text


def test_a_return_path_names_its_delivery(old: Upgraded) -> None:
    number = parse_return_path(LINKS["return_path"], [old.runtime.tokens.derived_key("return-path")])

    with old.runtime.reading() as session:
        delivery = session.get_one(Delivery, int(number or 0))
        subscriber = session.get_one(Subscriber, delivery.subscriber_id)
    assert subscriber.email == "two@example.org"


def test_every_link_of_the_old_installation_is_tested() -> None:
    source = Path(__file__).read_text("utf-8")

    assert [name for name in LINKS if f'"{name}"' not in source] == []


def test_the_ledger_verifies_before_and_after_new_entries(old: Upgraded) -> None:
    before = verify_all(old.runtime.reading, old.runtime.tokens, None)
    for name in ("confirm", "unsubscribe", "undo", "move", "move_back"):
        old.press(LINKS[name])
    after = verify_all(old.runtime.reading, old.runtime.tokens, None)

    assert (before.faults, after.faults) == ([], [])
    assert before.entries > 50
    assert after.entries > before.entries


@pytest.mark.parametrize("name", ["consent-ann.json", "consent-erased.json"])
def test_a_signed_consent_record_still_verifies(old: Upgraded, name: str) -> None:
    by_published_key = old.run("consent", "verify", str(OLD / name), "--key", str(OLD / "consent-key.pem"))
    by_own_key = old.run("consent", "verify", str(OLD / name))

    assert "The signature is good." in by_published_key.output
    assert "The signature is good." in by_own_key.output


def test_the_consent_record_has_the_same_entries_as_before(old: Upgraded) -> None:
    before = json.loads((OLD / "consent-ann.json").read_text("utf-8"))["record"]

    shown = old.run("subscriber", "consent", "ann@example.org", "--json")
    after = json.loads(shown.output)["record"]

    assert after["entries_whole"] is True
    assert [each["digest"] for each in after["entries"]] == [each["digest"] for each in before["entries"]]
    assert [each["text"] for each in after["wordings"]] == [each["text"] for each in before["wordings"]]
    assert before.keys() <= after.keys()


def test_the_half_sent_issue_is_completed_and_nobody_gets_it_twice(old: Upgraded) -> None:
    title = "The half-sent issue"
    old.send()
    old.clock.pass_(hours=1)  # the deferred delivery is due again
    old.send()
    old.clock.pass_(hours=23)  # and the one for the evening
    old.send()

    with old.runtime.reading() as session:
        rows = session.execute(
            select(Subscriber.email_key, Delivery.state)
            .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
            .where(Delivery.issue_id == old.issue(title).id)
        )
        states = {address: str(state) for address, state in rows}
    sent_before = {name.partition("@")[0] for name in HALF_SENT["sent"]}
    sent_now = old.recipients("Energy for the port", title)
    assert sent_now == Counter(["one", "eight", "nine"])
    assert not sent_before & sent_now.keys()
    left = {name.partition("@")[0]: state for name, state in states.items() if state != "accepted"}
    assert left == {"meg": "skipped", "two": "rejected", "three": "uncertain", "seven": "uncertain"}
    assert HALF_SENT["unanswered"] == "seven@example.org"
    assert sent_before | sent_now.keys() | left.keys() == {name.partition("@")[0] for name in states}
    assert old.issue(title).state is IssueState.SENDING  # two deliveries wait for a person


def test_a_correction_reaches_the_rest_of_the_half_sent_issue_and_no_page(
    old: Upgraded,
) -> None:
    def words() -> str:
        return re.sub(r"<[^>]*>", "", old.get(LINKS["view"]).text)

    before = words()
    with old.runtime.session() as session:
        for title, corrected in (
            ("Energy for the port", "Heat for the port"),
            ("Energy from the sea", "Waves"),
        ):
            release = session.scalars(select(Release).where(Release.title.startswith(title))).one()
            texts = replace(Texts.of(release), title=corrected, summary="It begins in May.")
            revise(session, release, texts, made_by="test", now=old.clock())
        session.commit()

    old.send()
    old.clock.pass_(hours=24)
    old.send()

    assert old.recipients("Energy for the port", "The half-sent issue") == Counter()
    assert old.recipients("Heat for the port", "The half-sent issue") == Counter(["one", "eight", "nine"])
    assert words() == before


def test_uncertain_deliveries_are_sent_again_on_request(old: Upgraded) -> None:
    old.send()
    with old.runtime.session() as session:
        issue = session.scalars(select(Issue).where(Issue.title == "The half-sent issue")).one()
        again = resend_uncertain(session, issue, "test", old.clock())
        session.commit()

    old.clock.pass_(hours=24)
    old.send()

    assert again.queued == 2
    sent = old.recipients("Energy for the port", "The half-sent issue")
    assert sent == Counter(["one", "three", "seven", "eight", "nine"])
    assert old.issue("The half-sent issue").state is IssueState.FINISHED


def test_a_release_of_the_half_sent_issue_comes_later_if_it_is_cancelled(old: Upgraded) -> None:
    with old.runtime.session() as session:
        issue = session.scalars(select(Issue).where(Issue.title == "The half-sent issue")).one()
        cancel(session, issue, "test", old.clock())
        session.commit()
    old.send()  # the daily issue, and what the journal says

    old.open(Frequency.WEEKLY, "The next issue")

    got = old.recipients("Energy for the port", "The next issue")
    assert got == Counter(["one", "two", "eight", "nine"])


def test_a_cancelled_issue_of_the_old_version_comes_with_the_next_one(old: Upgraded) -> None:
    old.open(Frequency.MONTHLY, "The next issue")

    # Ann's delivery was cancelled too, but the half-sent issue has brought her this release.
    assert old.recipients("Science of energy", "The next issue") == Counter(["ned"])


def test_an_opened_issue_is_prepared_and_sent(old: Upgraded) -> None:
    old.send()

    assert old.recipients("Sea and sky", "The issue to prepare") == Counter(["ann", "joy", "oli"])


def test_waiting_requests_are_resolved(old: Upgraded) -> None:
    old.send_single_emails()
    first = old.recipients()
    confirmed = old.press(old.link("sam", "confirm"))
    old.clock.pass_(minutes=10)
    old.send_single_emails()

    assert (first["sam"], first["oli"], first["tom"]) == (1, 1, 0)
    assert confirmed.status_code == 303
    assert old.subscriptions("sam") == {"sea": "daily"}
    assert old.recipients()["tom"] == 1


@pytest.mark.parametrize("name", ["kim", "meg", "pat"])
def test_suppressed_addresses_get_no_email(old: Upgraded, name: str) -> None:
    shown = old.run("subscriber", "show", f"{name}@example.org")
    asked = old.press("/", email=f"{name}@example.org", topics="sea", frequency="weekly")
    old.clock.pass_(minutes=10)
    old.send_single_emails()

    assert asked.status_code == 303
    assert "may be emailed" not in shown.output
    assert old.recipients()[name] == 0


@pytest.mark.parametrize(
    ("account", "password", "leads_to"),
    [
        ("owner@example.org", "correct horse battery", "/admin/"),
        ("editor@example.org", "one-time staple", "/admin/password"),
    ],
)
def test_the_accounts_sign_in(old: Upgraded, account: str, password: str, leads_to: str) -> None:
    done = old.press("/admin/sign-in", email=account, password=password)
    page = old.get("/admin/")

    assert done.status_code in {302, 303}
    assert (page.location or "/admin/") == leads_to
