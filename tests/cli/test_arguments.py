"""Arguments of commands: ids that begin with a hyphen, and text that cannot be decoded."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from newsletter.cli.arguments import AnyText, IdCommand, only_text

OLD = "-AbCd_123-xZ"


@click.command(cls=IdCommand)
@click.argument("ids", nargs=-1)
@click.option("--flag", is_flag=True)
def show(ids: tuple[str, ...], flag: bool) -> None:
    click.echo(f"{' '.join(ids)} {flag}")


@pytest.mark.parametrize("arguments", [[OLD, "--flag"], ["--flag", OLD], ["--flag", "--", OLD]])
def test_an_id_that_begins_with_a_hyphen_is_no_option(arguments):
    assert CliRunner().invoke(show, arguments).output == f"{OLD} True\n"


def test_an_unknown_option_is_still_refused():
    assert "No such option" in CliRunner().invoke(show, ["--flags"]).output


def test_undecodable_text_is_refused_in_every_command_of_a_group():
    done: list[str] = []

    @click.group()
    def group() -> None:
        pass

    @group.command()
    @click.argument("name")
    def write(name: str) -> None:
        done.append(name)

    result = CliRunner().invoke(only_text(group), ["write", "a\udcff"])

    assert result.exit_code == 2
    assert "is not valid text" in result.output
    assert done == []


def test_text_of_another_program_may_be_undecodable():
    assert AnyText().convert("a\udcff", None, None) == "a?"
