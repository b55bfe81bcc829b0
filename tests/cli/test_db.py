"""`newsletter db`: cleaning up, and databases in folders with unusual names."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from house import ENVIRON, make_settings
from sqlalchemy.orm import Session

from newsletter.app import create_app
from newsletter.cli import main
from newsletter.models import Subscriber, open_engine


@pytest.fixture
def env_file(env_file: Path) -> Path:
    """An env file that names a data folder, whose database has an unconfirmed subscriber to delete."""
    engine = open_engine(f"sqlite:///{env_file.parent / 'newsletter.sqlite3'}")
    with Session(engine) as session:
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        session.add(Subscriber(email="ann@example.org", email_key="ann@example.org", created_at=long_ago))
        session.commit()
    engine.dispose()
    return env_file


def _purge(env_file: Path, *words: str) -> Result:
    told = CliRunner().invoke(main, ["--env-file", str(env_file), "db", "purge", *words])
    assert told.exit_code == 0, told.output
    return told


def _unconfirmed(env_file: Path, *words: str) -> int:
    lines = [json.loads(line) for line in _purge(env_file, "--json", *words).output.splitlines()]
    assert {line["dry_run"] for line in lines} == {"--dry-run" in words}
    (found,) = [line for line in lines if line["step"] == "strangers"]
    assert found["setting"] == "NEWSLETTER_PENDING_DAYS"
    return int(found["count"])


def test_a_dry_run_counts_and_a_real_one_deletes(env_file: Path) -> None:
    assert _unconfirmed(env_file, "--dry-run") == 1
    assert _unconfirmed(env_file, "--dry-run") == 1
    assert _unconfirmed(env_file) == 1
    assert _unconfirmed(env_file) == 0


def test_the_words_name_what_goes_and_the_setting_that_decides(env_file: Path) -> None:
    told = _purge(env_file, "--dry-run").output

    assert "        1  addresses of people who never confirmed" in told
    assert "NEWSLETTER_KEEP_MAIL_DAYS" in told
    assert "ann@example.org" not in told


@pytest.mark.parametrize("name", ["q?mark", "a%20b", "half#way", "two words", "a%2Fb", "x&y=z", "ñandú"])
def test_the_database_lies_in_the_data_folder_whatever_the_folder_is_called(
    tmp_path: Path, name: str
) -> None:
    settings = make_settings(tmp_path / name)
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(tmp_path / name)}

    made = CliRunner().invoke(main, ["db", "upgrade"], env=environ)
    read = CliRunner().invoke(main, ["topic", "list"], env=environ)
    page = create_app(settings).test_client().get("/readyz")

    assert (made.exit_code, read.exit_code, page.status_code) == (0, 0, 200), made.output + read.output
    assert (tmp_path / name / "newsletter.sqlite3").stat().st_size > 0
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    told = CliRunner().invoke(
        main, ["db", "upgrade"], env={**ENVIRON, "NEWSLETTER_DATA_DIR": f"{tmp_path}/file/data"}
    )

    assert told.exit_code == 1
    assert told.stderr == (
        f"newsletter: The folder {tmp_path}/file/data of the database cannot be made: Not a directory. "
        "Choose another with NEWSLETTER_DATA_DIR or NEWSLETTER_DATABASE_URL.\n"
    )


def test_the_search_index_is_rebuilt(env_file: Path):
    told = CliRunner().invoke(main, ["--env-file", str(env_file), "db", "reindex"])

    assert told.exit_code == 0, told.output
    assert "The search index has 0 releases." in told.output
