"""The option --frequency of the commands that are about an issue."""

from __future__ import annotations

import click

from newsletter.models import Frequency

# "immediate" is the stored value, and the former name of the option.
FREQUENCIES = {each.option: each.value for each in Frequency} | {"immediate": Frequency.IMMEDIATE.value}


def _to_values(_context: click.Context, _option: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(FREQUENCIES[name] for name in names))


frequency_option = click.option(
    "--frequency", "frequencies", multiple=True, type=click.Choice(list(FREQUENCIES)),
    default=list(FREQUENCIES), callback=_to_values,
    help="Only subscribers of this frequency; may be repeated. If left out: all.",
)  # fmt: skip
