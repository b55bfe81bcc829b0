"""How commands read what stands behind their names."""

from __future__ import annotations

import re

import click

# Ids made before they were kept from beginning with a hyphen look like this.
_OLD_ID = re.compile(r"-[A-Za-z0-9_-]{11}")


class IdCommand(click.Command):
    """A command whose arguments are public ids. It takes one that begins with a hyphen for an id."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put such ids behind `--`, as a person would have to."""
        options = {name for each in self.get_params(ctx) for name in each.opts}
        ids = [each for each in args if _OLD_ID.fullmatch(each) and each not in options]
        if ids and "--" not in args:
            args = [*(each for each in args if each not in ids), "--", *ids]
        return super().parse_args(ctx, args)
