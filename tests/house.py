"""One installation for a test: a runtime on a fresh database, a fixed clock, and subscribers."""

from __future__ import annotations

import functools
import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from memory_transport import MemoryTransport
from servers.postgresql import PostgreSQL, ReusedDatabase, keep_first_rows
from sqlalchemy import URL, inspect, make_url, text
from sqlalchemy.orm import Session

from newsletter.digest.issues import Preparer, open_issue
from newsletter.ingest.press.parse import PressRelease
from newsletter.models import (
    FIRST_NEWSLETTER,
    Base,
    Delivery,
    EndedReason,
    Frequency,
    Issue,
    Newsletter,
    NewsletterText,
    Release,
    ReleaseState,
    RuleField,
    Subscriber,
    Subscription,
    SubscriptionState,
    SuppressionReason,
    Topic,
    current_sequence,
    open_engine,
)
from newsletter.models.rendition_key import read_key, release_ids
from newsletter.outbox.drain.worker import drain
from newsletter.releases.editing.edit import ReleaseAction, change_release, find_release
from newsletter.releases.revisions.revise import revise
from newsletter.releases.revisions.store import Texts
from newsletter.releases.store import add_release
from newsletter.releases.topics.manage import add_topic
from newsletter.runtime import Runtime
from newsletter.service.database.first_newsletter import fill_first_newsletter
from newsletter.service.database.schema import upgrade
from newsletter.settings import Settings, load_settings
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.privacy.emailed_links import PURPOSES, Right
from newsletter.suppression import add, suppression_hash
from newsletter.tokens import Tokens

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)

ENVIRON = {
    "NEWSLETTER_PUBLIC_URL": "https://news.example.org",
    "NEWSLETTER_SECRET_KEYS": "a-key-for-tests-that-is-long-enough-to-be-one",
    "NEWSLETTER_FROM_ADDRESS": "letter@example.org",
    "NEWSLETTER_POSTAL_ADDRESS": "Harbour Road 1, 1000 Town",
    "NEWSLETTER_RELAY": "smtp://127.0.0.1:2525",
}


@dataclass
class Clock:
    """A clock that moves only when it is told to."""

    moment: datetime = NOON

    def __call__(self) -> datetime:
        return self.moment

    def pass_(self, **span: float) -> None:
        """Move the clock forward."""
        self.moment += timedelta(**span)


@dataclass
class House:
    """A runtime, its clock, a transport in memory, and short methods that arrange what tests need."""

    runtime: Runtime
    clock: Clock
    transport: MemoryTransport = field(default_factory=MemoryTransport)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def newsletter(self, slug: str, *languages: str) -> int:
        """Add a newsletter after the first one; return its id."""
        with self.runtime.session() as session:
            made = Newsletter(
                slug=slug,
                version=1,
                from_address=f"desk@{slug}.example",
                postal_address="Quay 7",
                languages=list(languages or ("en",)),
                created_at=self.clock(),
            )
            session.add(made)
            session.flush()
            for language in made.languages:
                session.add(
                    NewsletterText(
                        newsletter_id=made.id,
                        language=language,
                        version=1,
                        name=f"{slug.title()} News",
                        since=self.clock(),
                    )
                )
            session.commit()
            return made.id

    def topic(self, slug: str, *words: str, newsletter: int = FIRST_NEWSLETTER) -> int:
        with self.runtime.session() as session:
            rules = [(RuleField.WORDS, each) for each in words or (slug,)]
            made = add_topic(
                session, slug=slug, name=slug.title(), rules=rules, actor="test", now=self.clock()
            )
            made.newsletter_id = newsletter
            session.commit()
            return made.id

    def add_subscriber(self, *topics: int, frequency: Frequency = Frequency.WEEKLY, name: str = "") -> int:
        """Add a confirmed subscriber who has been sent every release so far; return the id."""
        with self.runtime.session() as session:
            made = self.subscriber(name)
            session.add(made)
            session.flush()
            for topic_id in topics:
                session.add(self.subscription(made.id, topic_id, frequency, current_sequence(session)))
            session.commit()
            return made.id

    def subscriber(self, name: str = "") -> Subscriber:
        """Return a confirmed subscriber that is not stored yet."""
        email = f"{name or f'reader{next(self._numbers)}'}@example.org"
        return Subscriber(email=email, email_key=email, created_at=self.clock(), confirmed_at=self.clock())

    def subscription(
        self, subscriber: int, topic: int, frequency: Frequency = Frequency.WEEKLY, floor: int = 0
    ) -> Subscription:
        """Return an active subscription that is not stored yet."""
        with self.runtime.reading() as session:
            newsletter = session.get_one(Topic, topic).newsletter_id
        return Subscription(
            subscriber_id=subscriber,
            topic_id=topic,
            newsletter_id=newsletter,
            frequency=frequency,
            state=SubscriptionState.ACTIVE,
            started_sequence=floor,
            covered_to=floor,
            created_at=self.clock(),
            confirmed_at=self.clock(),
        )

    def release(
        self, title: str, *, state: ReleaseState = ReleaseState.READY, day: date | None = None
    ) -> int:
        """Add a release, whose title decides its topics; return the id. `day` is its date."""
        press = PressRelease(
            title,
            "Port of Halmstrand",
            day or min(NOON, self.clock()).date(),
            "en",
            (f"{title}. It opens on Monday.",),
        )
        with self.runtime.session() as session:
            made, _ = add_release(session, press, now=self.clock(), state=state)
            session.commit()
            return made.id

    def open(self, *frequencies: Frequency, newsletter: int = FIRST_NEWSLETTER) -> int:
        """Open an issue and prepare it completely; return its id."""
        issue_id = self.open_unprepared(*frequencies, newsletter=newsletter)
        self.prepare(issue_id)
        return issue_id

    def open_unprepared(self, *frequencies: Frequency, newsletter: int = FIRST_NEWSLETTER) -> int:
        """Open an issue; return its id."""
        with self.runtime.session() as session:
            issue_id = open_issue(
                session,
                frequencies or [Frequency.WEEKLY],
                actor="test",
                now=self.clock(),
                newsletter_id=newsletter,
            ).id
            session.commit()
            return issue_id

    def prepare(self, issue_id: int) -> None:
        preparer, more = Preparer(self.runtime.renderer, issue_id), True
        while more:
            with self.runtime.session() as session:
                more = preparer.step(session, self.clock())
                session.commit()

    def drain(self, lane: str = "bulk") -> int:
        from newsletter.models import Lane

        return drain(self.runtime, lambda _: self.transport, lane=Lane(lane))

    def send(self, *frequencies: Frequency, newsletter: int = FIRST_NEWSLETTER) -> int:
        """Open, prepare and send an issue; return its id."""
        issue_id = self.open(*frequencies, newsletter=newsletter)
        self.drain()
        return issue_id

    def recipients(self) -> list[str]:
        """Return the recipient of each message sent, sorted."""
        return sorted(each.envelope.recipient for each in self.transport.sent)

    def states(self, issue_id: int | None = None) -> list[str]:
        """Return the states of all deliveries (of an issue), in the order of their ids."""
        with self.runtime.session() as session:
            rows = session.query(Delivery.state, Delivery.issue_id).order_by(Delivery.id).all()
            return [str(state) for state, owner in rows if issue_id in {None, owner}]

    def issue_state(self, issue_id: int) -> str:
        with self.runtime.session() as session:
            return str(session.get_one(Issue, issue_id).state)

    def releases_sent(self, subscriber: int) -> list[int]:
        """Return the ids of the releases in every delivery to a subscriber, in order of sending."""
        from newsletter.models import Rendition

        with self.runtime.session() as session:
            rows = (
                session.query(Rendition.key)
                .join(Delivery, Delivery.rendition_id == Rendition.id)
                .filter(Delivery.subscriber_id == subscriber)
                .order_by(Delivery.id)
            )
            return [each for (key,) in rows for each in release_ids(read_key(key))]

    def all(self, model: type[Base]) -> Sequence[Base]:
        with self.runtime.session() as session:
            return session.query(model).order_by(*model.__table__.primary_key.columns).all()


def unsubscribe_from_topic(house: House, subscriber: int, topic: int) -> None:
    """Unsubscribe a subscriber from one topic."""
    with house.runtime.session() as session:
        active = subscription_rows.of_subscriber(session, subscriber, SubscriptionState.ACTIVE, lock=True)
        leaving = [row for row in active if row.topic_id == topic]
        subscription_rows.end(session, leaving, EndedReason.UNSUBSCRIBED, house.clock())
        session.commit()


def suppress_people(
    session: Session, tokens: Tokens, people: Iterable[int], reason: SuppressionReason, now: datetime
) -> None:
    """Suppress the present addresses of these subscribers for any reason."""
    for each in people:
        mark = suppression_hash(tokens, session.get_one(Subscriber, each).email_key or "")
        add(session, mark, reason, now, each)


def edit_release(house: House, release: int, action: ReleaseAction) -> None:
    """Hold, free, pin or exclude a release as an editor does."""
    with house.runtime.session() as session:
        public_id = session.get_one(Release, release).public_id
        change_release(session, public_id, action, "test", house.clock())
        session.commit()


def public_id(house: House, release: int) -> str:
    """Return the public id of a release."""
    with house.runtime.reading() as session:
        return session.get_one(Release, release).public_id


def correct_release(house: House, release: int, title: str, **more: object) -> None:
    """Correct the title, and perhaps other texts, of a release as an editor does."""
    with house.runtime.session() as session:
        found = find_release(session, session.get_one(Release, release).public_id)
        texts = replace(Texts.of(found), title=title, **more)  # type: ignore[arg-type]
        revise(session, found, texts, made_by="test", now=house.clock())
        session.commit()


def make_right_token(tokens: Tokens, right: Right, public_id: str, email_key: str, now: datetime) -> str:
    """Return the token of an emailed link for `right`, as messages/personal_links.py makes it."""
    return tokens.make(PURPOSES[right], [public_id, tokens.fingerprint(email_key)], now)


def make_settings(folder: Path, **more: str) -> Settings:
    """Return settings for tests, with their data in `folder`; `more` are fields as text."""
    given = {f"NEWSLETTER_{name.upper()}": value for name, value in more.items()}
    return load_settings({**ENVIRON, "NEWSLETTER_DATA_DIR": str(folder), **given})


def _sqlite_file(make: Callable[[str], object]) -> bytes:
    """Return the SQLite file that `make` makes at the URL that it is given."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "newsletter.sqlite3"
        make(f"sqlite:///{path}")
        engine = open_engine(f"sqlite:///{path}")
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("BEGIN")
        engine.dispose()
        return path.read_bytes()


def _create_tables(url: str) -> None:
    engine = open_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()


@functools.cache
def empty_sqlite() -> bytes:
    """Return a SQLite file with all tables. To copy it is much faster than to create the tables."""
    return _sqlite_file(_create_tables)


@functools.cache
def _upgraded_sqlite() -> bytes:
    return _sqlite_file(upgrade)


def make_upgraded(database: str | URL) -> None:
    """Make a new database as `newsletter db upgrade` does, for the commands and processes that ask for one.

    On SQLite the migrations run once in a test process. Later databases are copies of the first.
    """
    url = make_url(database)
    if url.get_backend_name() != "sqlite":
        upgrade(database)
        return
    path = Path(url.database or "")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(_upgraded_sqlite())


def make_installed(settings: Settings) -> None:
    """Make the database of these settings, with the first newsletter, as `newsletter db upgrade` does."""
    make_upgraded(settings.database)
    fill_first_newsletter(settings, NOON)


def make_house(settings: Settings) -> House:
    """Return an installation on the database of the settings, with its tables."""
    clock = Clock()
    path = Path(settings.database.database or "")
    if settings.database.get_backend_name() == "sqlite" and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(empty_sqlite())
    runtime = Runtime(settings, now=clock)
    if not inspect(runtime.engine).has_table(Subscriber.__tablename__):
        Base.metadata.create_all(runtime.engine)
    return House(runtime, clock)


def _reused(server: PostgreSQL, make: Callable[[str], object]) -> ReusedDatabase:
    template = server.create_database()
    make(server.url(template))
    keep_first_rows(server, template)
    return ReusedDatabase(server, template)


@pytest.fixture(scope="session")
def reused_database(postgresql: PostgreSQL) -> ReusedDatabase:
    """The PostgreSQL database of the tests of this process, with all tables."""
    return _reused(postgresql, _create_tables)


@pytest.fixture(scope="session")
def reused_upgraded_database(postgresql: PostgreSQL) -> ReusedDatabase:
    """Such a database, made by the migrations."""
    return _reused(postgresql, upgrade)


@pytest.fixture
def house_url(postgresql: PostgreSQL, reused_database: ReusedDatabase) -> str:
    """The URL of a PostgreSQL database for this test, with all tables and the rows of a new installation."""
    return postgresql.url(reused_database.fresh())


@pytest.fixture
def upgraded_url(postgresql: PostgreSQL, reused_upgraded_database: ReusedDatabase) -> str:
    """Such a URL, of a database that `newsletter db upgrade` made: `make_upgraded` finds nothing to do."""
    return postgresql.url(reused_upgraded_database.fresh())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An installation on SQLite."""
    made = make_house(make_settings(tmp_path))
    yield made
    made.runtime.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """An installation on SQLite, then on PostgreSQL."""
    settings = make_settings(tmp_path)
    if request.param == "postgresql":
        settings = replace(settings, database_url=request.getfixturevalue("house_url"))
    made = make_house(settings)
    yield made
    made.runtime.engine.dispose()


@pytest.fixture
def big_house(tmp_path: Path, house_url: str) -> Iterator[House]:
    """An installation on PostgreSQL."""
    made = make_house(replace(make_settings(tmp_path), database_url=house_url))
    yield made
    made.runtime.engine.dispose()


@contextmanager
def meanwhile(house: House, act: Callable[[], object]) -> Iterator[None]:
    """Start `act` in a thread; enter the block once it waits for a lock; check that it then succeeds."""
    faults: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    until = time.monotonic() + 10
    while thread.is_alive() and time.monotonic() < until:
        with house.runtime.reading() as session:
            if session.scalar(waiting):
                break
        time.sleep(0.01)
    yield
    thread.join(20)
    assert not thread.is_alive()
    assert faults == []


__all__ = [
    "ENVIRON",
    "NOON",
    "Clock",
    "House",
    "Release",
    "Topic",
    "big_house",
    "correct_release",
    "either_house",
    "house",
    "make_house",
    "make_installed",
    "make_right_token",
    "make_settings",
    "make_upgraded",
    "meanwhile",
    "public_id",
    "reused_database",
    "reused_upgraded_database",
    "upgraded_url",
]
