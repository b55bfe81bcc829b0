"""The settings of one call of the command line, the environment of child processes, and JSON output."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from newsletter.env_file import EnvFile, read_env_file
from newsletter.errors import ServiceError, SettingsError
from newsletter.settings import PREFIX, Settings, load_settings

DEFAULT_ENV_FILE = Path(".env")


@dataclass(frozen=True)
class Invocation:
    """One call of the program. `env_file` is None for the default file, and an empty path for no file."""

    env_file: Path | None = None

    @cached_property
    def file(self) -> EnvFile:
        """The content of the settings file; empty if there is no file. Raises SettingsError."""
        path = DEFAULT_ENV_FILE if self.env_file is None else self.env_file
        if self.env_file not in {None, Path()} and not path.is_file():
            why = "is no file" if path.exists() else "does not exist"
            raise SettingsError([f"--env-file names {path}, which {why}"])
        try:
            if path.is_file() and path.stat().st_mode & 0o004:
                click.echo(
                    f"newsletter: warning: every user of this machine can read {path.resolve()}, which may "
                    "hold keys and passwords. Take that right away: chmod o-rwx",
                    err=True,
                )
            return read_env_file(path, os.environ, PREFIX) if path.is_file() else EnvFile({})
        except OSError as fault:
            raise SettingsError([f"{path} cannot be read: {fault.strerror}"]) from fault
        except UnicodeDecodeError as fault:
            raise SettingsError([f"{path} is not text in UTF-8"]) from fault

    @cached_property
    def environ(self) -> Mapping[str, str]:
        """The environment together with the settings of the file: all that a child process needs."""
        filed = {name: value for name, value in self.file.values.items() if name.startswith(PREFIX)}
        return {**filed, **os.environ}

    @cached_property
    def settings(self) -> Settings:
        """The settings. Raises SettingsError with every fault."""
        return load_settings(self.environ, known_faults=self.file.faults)


def invocation() -> Invocation:
    """Return the current call of the program."""
    root = click.get_current_context().find_root()
    if not isinstance(root.obj, Invocation):
        root.obj = Invocation(root.obj)
    return root.obj


def open_settings() -> Settings:
    """Return the settings. Raises SettingsError with every fault."""
    return invocation().settings


def program() -> str:
    """Return the command that started this program, with its settings file, for commands that people copy."""
    file = invocation().env_file
    return "newsletter" if file in {None, Path()} else f"newsletter --env-file {shlex.quote(str(file))}"


def print_json(value: Any) -> None:
    """Print one JSON value on one line. Characters are escaped only if the encoding lacks them."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(value)
    click.echo(text)


def whole_command(*words: str) -> list[str]:
    """Return the command that runs this program with `words` and the settings of the environment."""
    if not sys.executable:
        raise ServiceError("Python does not know its own program; start it by its full path.")
    return [sys.executable, "-m", "newsletter", "--env-file", "", *words]
