"""Fixtures for accounts: a database for each test, a fixed time, and tokens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from house import empty_sqlite
from sqlalchemy.orm import Session

from newsletter.models import open_engine
from newsletter.tokens import Tokens


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    path = tmp_path / "accounts.sqlite3"
    path.write_bytes(empty_sqlite())
    engine = open_engine(f"sqlite:///{path}")
    with Session(engine) as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def now() -> datetime:
    return datetime(2025, 10, 23, 12, tzinfo=UTC)


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(["a key for tests that is long enough!"])
