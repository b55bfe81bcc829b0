"""Fixtures: installations for commands, and a function that runs commands in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from house import House, make_house, make_settings, make_upgraded

from newsletter.cli import main

ENV = (
    "NEWSLETTER_PUBLIC_URL=https://news.example.org\n"
    "NEWSLETTER_SECRET_KEYS=a-key-for-tests-that-is-long-enough-to-be-one\n"
    "NEWSLETTER_FROM_ADDRESS=letter@example.org\n"
    'NEWSLETTER_POSTAL_ADDRESS="Harbour Road 1, 1000 Town"\n'
    "NEWSLETTER_RELAY=smtp://127.0.0.1:2525\n"
)


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """An env file that names a data folder with an empty database."""
    path = tmp_path / "settings.env"
    path.touch(0o600)  # else each command warns
    path.write_text(
        "NEWSLETTER_PUBLIC_URL=https://news.example.org\n"
        "NEWSLETTER_SECRET_KEYS=a key for tests that is long enough!\n"
        "NEWSLETTER_FROM_ADDRESS=news@example.org\n"
        "NEWSLETTER_POSTAL_ADDRESS=Harbour Road 1\n"
        "NEWSLETTER_RELAY=smtp://127.0.0.1:9\n"
        f"NEWSLETTER_DATA_DIR={tmp_path}\n"
    )
    make_upgraded(f"sqlite:///{tmp_path / 'newsletter.sqlite3'}")
    return path


@pytest.fixture
def owner(tmp_path: Path) -> House:
    """An installation with an empty database, for tests that name its data folder in the environment."""
    settings = make_settings(tmp_path / "data")
    make_upgraded(settings.database)
    return make_house(settings)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[House]:
    """An installation with the subscriber ann@example.org."""
    make_upgraded(f"sqlite:///{tmp_path / 'newsletter.sqlite3'}")
    (tmp_path / "settings.env").touch(0o600)  # else each command warns
    (tmp_path / "settings.env").write_text(f"{ENV}NEWSLETTER_DATA_DIR={tmp_path}\n")
    house = make_house(make_settings(tmp_path))
    house.add_subscriber(house.topic("energy"), name="ann")
    yield house
    house.runtime.engine.dispose()


@pytest.fixture
def command(installed: House) -> Callable[..., Result]:
    """Run a command, with `given` on standard input."""
    env_file = installed.runtime.settings.data_dir / "settings.env"

    def run(*words: str, given: str | None = None) -> Result:
        return CliRunner().invoke(main, ["--env-file", str(env_file), *words], input=given)

    return run
