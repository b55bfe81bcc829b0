"""The initial rows of every life: two newsletters with their topics, and three people who subscribed."""

from __future__ import annotations

import contextlib
import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path

from house import NOON
from servers.postgresql import PostgreSQL

from lives.databases import Database, PostgreSQLDatabase, SQLiteDatabase
from lives.machine import shared_memory
from lives.world import TOPICS_OF, World
from newsletter.models import FIRST_NEWSLETTER, Base, RuleField
from newsletter.newsletters.add import add_newsletter
from newsletter.releases.topics.manage import add_topic

PEOPLE = (
    {"alpha": "daily", "beta": "weekly", "delta": "weekly"},
    {"alpha": "weekly", "beta": "weekly", "gamma": "daily"},
    {"alpha": "daily", "delta": "daily"},
)


@contextlib.contextmanager
def sqlite_database() -> Iterator[SQLiteDatabase]:
    """Make a SQLite database, in memory if this machine has a folder in memory."""
    with tempfile.TemporaryDirectory(prefix="lives-", dir=shared_memory()) as folder, _collected_rarely():
        database = SQLiteDatabase(Path(folder) / "life.sqlite3", Path(folder) / "template.sqlite3")
        database.template.touch()
        database.begin()
        _begin(database, Path(folder))
        database.run("PRAGMA wal_checkpoint(TRUNCATE)")
        database.template.write_bytes(database.file.read_bytes())
        yield database


@contextlib.contextmanager
def postgresql_database(server: PostgreSQL) -> Iterator[PostgreSQLDatabase]:
    """Make a database on a PostgreSQL server."""
    name = server.create_database()
    with emptied(server.url(name)) as database:
        yield database
    server.drop_database(name)


@contextlib.contextmanager
def emptied(url: str) -> Iterator[PostgreSQLDatabase]:
    """Fill the empty database at `url` with the initial rows of a life."""
    with tempfile.TemporaryDirectory(prefix="lives-", dir=shared_memory()) as folder, _collected_rarely():
        database = PostgreSQLDatabase(url)
        _begin(database, Path(folder))
        database.keep_as_template()
        yield database


@contextlib.contextmanager
def _collected_rarely() -> Iterator[None]:
    """Let Python look for garbage less often, which otherwise takes a tenth of the time of a life."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _begin(database: Database, folder: Path) -> None:
    Base.metadata.create_all(database.engines[0])
    world = World(database, folder, (0, 0))
    host = world.hosts[0]
    with host.session() as session:
        fields = {"name": "The second", "from_address": "second@example.org"}
        second = add_newsletter(
            session, host.settings, slug="second", fields=fields, actor="editor", now=NOON
        )
        for newsletter_id, slugs in zip((FIRST_NEWSLETTER, second.id), TOPICS_OF.values(), strict=True):
            for slug in slugs:
                # There are no rules, because releases are put under topics by name.
                rules = [(RuleField.WORDS, slug)]
                add_topic(
                    session,
                    slug=slug,
                    name=slug.title(),
                    rules=rules,
                    newsletter_id=newsletter_id,
                    actor="test",
                    now=NOON,
                )
        session.commit()
    for name, wanted in enumerate(PEOPLE):
        world.join(0, name, wanted)
    world.send(0, [])
