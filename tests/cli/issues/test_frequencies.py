"""The option --frequency takes the names on the pages, each once, and the stored name of one of them."""

from __future__ import annotations

import click
from click.testing import CliRunner

from newsletter.cli.issues.frequencies import frequency_option


@click.command()
@frequency_option
def shown(frequencies: tuple[str, ...]) -> None:
    click.echo(",".join(frequencies))


def test_both_names_of_a_frequency_are_one_and_all_are_chosen_by_default():
    twice = CliRunner().invoke(shown, ["--frequency", "as-it-happens", "--frequency", "immediate"])
    usual = CliRunner().invoke(shown, [])

    assert twice.output == "immediate\n"
    assert usual.output == "immediate,daily,weekly,monthly\n"
