"""`newsletter subscriber`: who is on the list."""

from __future__ import annotations

import click

from newsletter.cli.context import open_runtime, print_json


@click.group()
def subscriber() -> None:
    """Readers."""


@subscriber.command("list")
@click.option("--search", default="", help="Part of an address.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def list_(search: str, as_json: bool) -> None:
    """List readers, the newest first."""
    from newsletter.subscriptions.queries import list_readers  # noqa: PLC0415 (keeps --help quick)

    with open_runtime().reading() as session:
        number, pages = 1, 1
        while number <= pages:
            page = list_readers(session, search=search, state="", page=number)
            for each in page.items:
                if as_json:
                    print_json({"id": each.public_id, "email": each.email, "state": each.state})
                else:
                    click.echo(f"{each.public_id}  {each.email or '(erased)'}  {each.state}")
            number, pages = number + 1, page.pages
