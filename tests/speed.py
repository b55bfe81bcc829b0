"""Save time in every test process: compile each page, route and statement once, and rarely collect garbage.

Nearly every test opens its own database and application, and each would compile the same again. That was more
than a third of the time of the tests of pages.
"""

from __future__ import annotations

import gc
import types
from typing import Any, ClassVar

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule


class CodeInMemory(BytecodeCache):
    """Keeps compiled templates. Else each application compiles its own: half of the time of its test."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], types.CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._code[bucket.key, bucket.checksum] = bucket.code


class RuleInMemory(Rule):
    """A route that takes over what it compiles from the same route of an earlier application."""

    _compiled: ClassVar[dict[tuple[object, ...], tuple[Any, ...]]] = {}

    def compile(self) -> None:
        """Set what `Rule.compile` sets."""
        assert self.map is not None
        key = (
            self.rule,
            self.host if self.map.host_matching else self.subdomain,
            self.merge_slashes,
            *(self.defaults or {}).items(),
        )
        if key not in self._compiled:
            super().compile()
            builders = self._build.__func__, self._build_unknown.__func__  # type: ignore[attr-defined]
            self._compiled[key] = (self._parts, self._trace, self._converters, *builders)
        self._parts, self._trace, self._converters, build, build_unknown = self._compiled[key]
        self.arguments.update(self._converters)
        self._build = build.__get__(self, None)
        self._build_unknown = build_unknown.__get__(self, None)


class _OneForAllEngines:
    """Makes the dialects of two engines equal, and the engines share what they compiled.

    SQLAlchemy looks for a compiled statement by the dialect and the statement.
    """

    _compiled: LRUCache[Any, Any] = LRUCache(4000)

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        engine.update_execution_options(compiled_cache=cls._compiled)

    def _key(self) -> tuple[object, ...]:
        # A dialect learns the last two at its first connection.
        return type(self), self.paramstyle, self.server_version_info, self.default_schema_name  # type: ignore[attr-defined]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _OneForAllEngines) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(type(self))


class SQLiteForAllEngines(_OneForAllEngines, SQLiteDialect_pysqlite):
    """The dialect for SQLite, whose engines all share one cache of compiled statements."""

    supports_statement_cache = True


class PostgreSQLForAllEngines(_OneForAllEngines, PGDialect_psycopg):
    """The dialect for PostgreSQL, whose engines all share one cache of compiled statements."""

    supports_statement_cache = True


# Flask passes these options to the environment of each application.
Flask.jinja_options["bytecode_cache"] = CodeInMemory()
Flask.url_rule_class = RuleInMemory
registry.register("sqlite", __name__, "SQLiteForAllEngines")
registry.register("postgresql.psycopg", __name__, "PostgreSQLForAllEngines")


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of each later garbage collection: it lives until the end.

    And collect rarely. Python's own thresholds cost a tenth of the time of the tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
