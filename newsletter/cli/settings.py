"""`newsletter settings`: describe every setting. docs/settings.md is its output."""

from __future__ import annotations

import dataclasses
import enum
from pathlib import Path
from typing import Any

import click

from newsletter.settings import Settings, variable

HEAD = """# Settings

Every setting is an environment variable, or a line in a `.env` file in the folder where the service
starts (`--env-file` names another). If both have a setting, the environment wins. A missing or wrong
setting ends the program with one message that lists every fault. This page is what `newsletter settings`
prints.

In a `.env` file, write a value in single quotes if it holds ` #`, `${` or a quote, as in
`NAME='500 Main Street #210'`. Without quotes, a ` #` begins a comment. Without single quotes, `${NAME}`
stands for an earlier line or another variable, and for nothing if there is none. Inside single quotes,
write `\\'` for a quote and `\\\\` for a backslash. `newsletter run`, `web`, `worker` and `beat` say at start
which setting was cut or changed in that way, and in which line.

"""


@click.command()
def settings() -> None:
    """Describe every setting: its variable, its default and its purpose."""
    click.echo(describe(), nl=False)


def describe() -> str:
    """Return docs/settings.md: first the settings without a default, then the others."""
    fields = dataclasses.fields(Settings)
    needed = [each for each in fields if each.default is dataclasses.MISSING]
    optional = [each for each in fields if each.default is not dataclasses.MISSING]
    return (
        "".join(
            [
                HEAD,
                "## To be given\n\n",
                *(_entry(each) for each in needed),
                "## With a default\n\n",
                *(_entry(each) for each in optional),
            ]
        ).rstrip()
        + "\n"
    )


def _entry(field: dataclasses.Field[Any]) -> str:
    lines = [f"### `{variable(field.name)}`", "", str(field.metadata["help"]), ""]
    if field.metadata["example"]:
        lines += [f"Example: `{field.metadata['example']}`", ""]
    if field.default is not dataclasses.MISSING:
        lines += [f"Default: {_default(field.default)}", ""]
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    """Return a default as it is written in a settings file."""
    if value is None or value in {(), ""}:
        return "empty"
    if isinstance(value, bool):
        return "`yes`" if value else "`no`"
    if isinstance(value, Path):  # made absolute from where the program starts
        return f"`{value.name}` in the folder where the program starts"
    if isinstance(value, tuple):
        joint = ":" if isinstance(value[-1], int) else ", "
        return f"`{joint.join(str(part) for part in value)}`"
    return f"`{value.value if isinstance(value, enum.Enum) else value}`"
