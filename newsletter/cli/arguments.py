"""Types of command line arguments: public ids, and text that must be valid. The option --newsletter."""

from __future__ import annotations

import re
from typing import Any

import click
from click.types import StringParamType

from newsletter.settings import is_text

# An id from before ids were prevented from beginning with a hyphen.
_OLD_ID = re.compile(r"-[A-Za-z0-9_-]{11}")

newsletter_option = click.option(
    "--newsletter",
    "newsletter_slug",
    metavar="SLUG",
    help="The newsletter; needed if there are several (newsletter list).",
)


class IdCommand(click.Command):
    """A command whose arguments are public ids. An id that begins with a hyphen is not read as an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put such ids after `--`, as a person would have to."""
        options = {name for each in self.get_params(ctx) for name in each.opts}
        ids = [each for each in args if _OLD_ID.fullmatch(each) and each not in options]
        if ids and "--" not in args:
            args = [*(each for each in args if each not in ids), "--", *ids]
        return super().parse_args(ctx, args)


class Text(StringParamType):
    """Text that must be decodable. Undecodable text is refused before the command does anything."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the text; fail with a usage error when it holds bytes that are no text."""
        if isinstance(value, str) and not is_text(value):
            self.fail(f"is not valid text in the encoding of this locale: {value}", param, ctx)
        return super().convert(value, param, ctx)


class AnyText(StringParamType):
    """Text from another program. Bytes that cannot be decoded become question marks."""

    name = "text"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> Any:
        """Return the text."""
        return str(value).encode("utf-8", "replace").decode()


def only_text(command: click.Command) -> click.Command:
    """Make every text argument and option of `command` refuse undecodable text; return the command."""
    for param in command.params:
        if param.type is click.STRING:
            param.type = Text()
    if isinstance(command, click.Group):
        for each in command.commands.values():
            only_text(each)
    return command
