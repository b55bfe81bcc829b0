"""Guard: migrations make exactly the tables, checks and triggers of the models, and can be undone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from newsletter.models import SEARCH_TABLE, Base, open_engine
from newsletter.runtime import data_folder


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'newsletter.sqlite3'}"
    else:
        url = request.getfixturevalue("postgresql_url")
    opened = open_engine(url)
    yield opened
    opened.dispose()


def alembic_config(engine: Engine | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(data_folder("migrations")).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config


def named_constraints(engine: Engine) -> dict[str, set[str]]:
    """Return the names of check constraints by table: `compare_metadata` does not compare them."""
    look = inspect(engine)
    return {
        table: {str(check["name"]) for check in look.get_check_constraints(table)}
        for table in look.get_table_names()
        if table != "alembic_version"
    }


def test_an_upgrade_from_nothing_gives_the_tables_of_the_models(engine):
    command.upgrade(alembic_config(engine), "head")

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                # No model can describe the search index. A test of its own compares it.
                "include_name": lambda name, kind, _: kind != "table" or not name.startswith(SEARCH_TABLE),
            },
        )
        differences = compare_metadata(context, Base.metadata)
    assert differences == []


def search_index(engine: Engine) -> list[tuple[str, ...]]:
    """Return the SQL of the search index, or its columns and indexes."""
    if engine.dialect.name == "sqlite":
        query = f"SELECT sql FROM sqlite_master WHERE name = '{SEARCH_TABLE}'"
    else:
        query = (
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'release_words' UNION ALL "
            "SELECT column_name || data_type || is_nullable FROM information_schema.columns "
            "WHERE table_name = 'release_words' ORDER BY 1"
        )
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_an_upgrade_from_nothing_gives_the_search_index_of_the_models(engine):
    command.upgrade(alembic_config(engine), "head")
    migrated = search_index(engine)
    command.downgrade(alembic_config(engine), "base")
    assert search_index(engine) == []
    Base.metadata.create_all(engine)

    assert len(migrated) >= 1
    assert migrated == search_index(engine)


def triggers(engine: Engine) -> dict[str, str]:
    """Return the SQL of triggers and of the functions that they call, by name."""
    if engine.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = (
            "SELECT tgname || ' on ' || tgrelid::regclass, pg_get_triggerdef(oid) "
            "FROM pg_trigger WHERE NOT tgisinternal "
            "UNION ALL SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        )
    with engine.connect() as connection:
        return {name: body for name, body in connection.execute(text(query))}


def test_an_upgrade_from_nothing_gives_the_triggers_of_the_models(engine):
    command.upgrade(alembic_config(engine), "head")
    migrated = triggers(engine)
    command.downgrade(alembic_config(engine), "base")
    assert triggers(engine) == {}
    Base.metadata.create_all(engine)

    assert len(migrated) >= 6
    assert migrated == triggers(engine)


def test_an_upgrade_from_nothing_gives_the_checks_of_the_models(engine, tmp_path):
    command.upgrade(alembic_config(engine), "head")
    migrated = named_constraints(engine)
    command.downgrade(alembic_config(engine), "base")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    Base.metadata.create_all(engine)

    assert migrated == named_constraints(engine)


def test_a_downgrade_leaves_nothing(engine):
    command.upgrade(alembic_config(engine), "head")
    command.downgrade(alembic_config(engine), "base")

    left = set(inspect(engine).get_table_names()) - {"alembic_version"}
    if engine.dialect.name == "postgresql":
        left |= set(inspect(engine).get_sequence_names())
        left |= {enum["name"] for enum in inspect(engine).get_enums()}
    assert left == set()


def test_an_upgrade_can_be_repeated_and_gone_back_to(engine):
    for _ in range(2):
        command.upgrade(alembic_config(engine), "head")
        command.upgrade(alembic_config(engine), "head")
        assert inspect(engine).has_table("subscriber")
        command.downgrade(alembic_config(engine), "base")
        assert not inspect(engine).has_table("subscriber")


def test_migrations_are_numbered_one_after_the_other():
    script = ScriptDirectory.from_config(alembic_config())
    revisions = list(reversed(list(script.walk_revisions())))

    assert len(script.get_heads()) == 1
    assert [revision.revision for revision in revisions] == [f"{n:04d}" for n in range(1, len(revisions) + 1)]
    assert all(re.fullmatch(r"\d{4}_[a-z0-9_]+\.py", Path(revision.path).name) for revision in revisions)


def test_who_was_erased_is_told_from_who_was_emptied_by_the_ledger(engine):
    command.upgrade(alembic_config(engine), "0004")
    with engine.begin() as connection:
        for number, (act, erased) in enumerate([("erased", True), ("left", True), ("left", False)], 1):
            at = "'2026-03-10 12:00:00+00:00'" if erased else "NULL"
            connection.execute(
                text(
                    "INSERT INTO subscriber (id, public_id, language, time_zone, created_at, erased_at) "
                    f"VALUES ({number}, 'person{number}', 'en', 'UTC', '2026-03-01 12:00:00+00:00', {at})"
                )
            )
            connection.execute(
                text(
                    "INSERT INTO consent_entry (id, subscriber_id, at, act, how, wording_version, "
                    f"wording_hash, detail, digest) VALUES ({number}, {number}, '2026-03-10 12:00:00+00:00', "
                    f"'{act}', 'link', '', '', '{{}}', '')"
                )
            )

    facts = "SELECT erased_at IS NOT NULL, emptied_at IS NOT NULL FROM subscriber ORDER BY id"
    command.upgrade(alembic_config(engine), "0005")
    with engine.connect() as connection:
        assert [tuple(row) for row in connection.execute(text(facts))] == [(1, 0), (0, 1), (0, 0)]
        assert connection.scalar(text("SELECT count(*) FROM consent_entry WHERE detail_digest IS NULL")) == 3
    command.downgrade(alembic_config(engine), "0004")
    with engine.connect() as connection:
        gone = connection.scalar(text("SELECT count(*) FROM subscriber WHERE erased_at IS NOT NULL"))
    assert gone == 2


def test_rules_beyond_ascii_become_beginnings_of_words_and_others_stay(engine):
    config = alembic_config(engine)
    patterns = ["port", "газ", "énergie solaire", "風力", "ｐｏｒｔ", "газ*", "é" * 200, "straße"]
    revisions = ScriptDirectory.from_config(config).walk_revisions()
    before = next(each.down_revision for each in revisions if "words_in_every_script" in each.path)
    command.upgrade(config, before)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO topic (id, slug, name, description, position, rule_match, created_at) "
                "VALUES (1, 'energy', 'Energy', '', 0, 'any', '2026-03-10 12:00:00')"
            )
        )
        insert = text(
            "INSERT INTO topic_rule (id, topic_id, field, pattern) VALUES (:id, 1, 'words', :pattern)"
        )
        rows = [{"id": at, "pattern": pattern} for at, pattern in enumerate(patterns, start=1)]
        connection.execute(insert, rows)

    command.upgrade(config, "head")
    with engine.connect() as connection:
        written = list(connection.scalars(text("SELECT pattern FROM topic_rule ORDER BY id")))
    command.downgrade(config, before)
    with engine.connect() as connection:
        back = list(connection.scalars(text("SELECT pattern FROM topic_rule ORDER BY id")))

    assert written == ["port", "газ*", "énergie solaire*", "風力*", "ｐｏｒｔ", "газ*", "é" * 200, "straße"]
    assert back == ["port", "газ", "énergie solaire", "風力", "ｐｏｒｔ", "газ", "é" * 200, "straße"]


def test_emails_of_the_former_template_brake_are_cancelled_and_no_others(engine):
    command.upgrade(alembic_config(engine), "0011")
    rows = [
        ("brake", "queued"),
        ("brake", "deferred"),
        ("brake", "leased"),
        ("brake", "accepted"),
        ("confirm", "queued"),
        ("confirm", "leased"),
    ]
    insert = text(
        "INSERT INTO delivery (id, lane, recipient, template, context, language, state, due_at, leased_by, "
        "attempt, created_at) VALUES (:id, 'single', :recipient, :template, '{}', 'en', :state, "
        "'2026-03-10 12:00:00', :worker, 0, '2026-03-10 12:00:00')"
    )
    with engine.begin() as connection:
        for number, (template, state) in enumerate(rows, start=1):
            worker = "worker-1" if state == "leased" else None
            given = {"id": number, "recipient": f"owner{number}@example.org", "worker": worker}
            connection.execute(insert, {**given, "template": template, "state": state})

    command.upgrade(alembic_config(engine), "head")

    found = "SELECT state, settled_at IS NOT NULL, leased_by FROM delivery ORDER BY id"
    with engine.connect() as connection:
        left = [tuple(row) for row in connection.execute(text(found))]
    assert left == [
        *[("cancelled", 1, None)] * 3,
        ("accepted", 0, None),
        ("queued", 0, None),
        ("leased", 0, "worker-1"),
    ]


def _insert(table: str, row: str) -> str:
    """Return an INSERT of `row`, which has words such as `column='value'`."""
    names, values = zip(*(each.split("=", 1) for each in row.split(" ")), strict=True)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(values)})"


def test_rows_of_before_belong_to_the_first_newsletter_and_keep_what_hangs_on_them(engine):
    config = alembic_config(engine)
    command.upgrade(config, "0012")
    at = "'2026-03-10T12:00:00'"
    no = "false" if engine.dialect.name == "postgresql" else "0"
    rows = {
        "topic": (
            f"id=7 slug='energy' name='Energy' description='' position=0 rule_match='any' created_at={at}"
        ),
        "topic_rule": "id=1 topic_id=7 field='words' pattern='cable'",
        "issue": (
            "id=3 public_id='issue3' title='Spring' frequencies='[]' state='sending' to_sequence=0 "
            f"prepared_to=0 created_by='' note='' is_test={no} own_hour={no} created_at={at}"
        ),
        "delivery": (
            "id=5 lane='bulk' issue_id=3 recipient='ann@example.org' language='en' state='queued' attempt=0 "
            f"due_at={at} created_at={at}"
        ),
        "signup_request": (
            "id=2 kind='signup' choices='{}' wording_version='' wording_hash='' trust=0 nth=0 "
            f"created_at={at}"
        ),
    }
    before = [_insert(table, row) for table, row in rows.items()]
    with engine.begin() as connection:
        for statement in before:
            connection.execute(text(statement))

    command.upgrade(config, "head")
    # A host that still runs the version before knows no such column.
    with engine.begin() as connection:
        connection.execute(text(before[0].replace("(7, 'energy'", "(8, 'sea'")))

    with engine.connect() as connection:
        first = connection.execute(text("SELECT id, version, slug FROM newsletter")).all()
        owners = [
            connection.scalars(text(f"SELECT newsletter_id FROM {table} ORDER BY id")).all()
            for table in ("topic", "issue", "signup_request", "delivery")
        ]
    assert first == [(1, 0, "news")]
    assert owners == [[1, 1], [1], [1], [None]]
    command.downgrade(config, "0012")
    with engine.connect() as connection:
        kept = "SELECT (SELECT count(*) FROM topic_rule), (SELECT count(*) FROM delivery)"
        assert connection.execute(text(kept)).all() == [(1, 1)]
