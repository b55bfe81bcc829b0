"""`newsletter account`: people who may sign in."""

from __future__ import annotations

from collections.abc import Callable

import click

from newsletter.accounts.create import account_key, create_account, list_accounts, reset_password
from newsletter.accounts.passwords import hash_password, one_time_password
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime

ACTOR = "command line"

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


@click.group()
def account() -> None:
    """People who may sign in."""


@account.command()
@click.argument("address")
@as_json_option
def add(address: str, as_json: bool) -> None:
    """Add an account; its one-time password is printed once and must be changed at sign-in."""
    _give_password(create_account, address, as_json)


@account.command()
@click.argument("address")
@as_json_option
def reset(address: str, as_json: bool) -> None:
    """Give an account a new one-time password, and end all its sessions."""
    _give_password(reset_password, address, as_json)


@account.command("list")
@as_json_option
def list_(as_json: bool) -> None:
    """List the accounts."""
    with open_runtime().session() as session:
        for user in list_accounts(session):
            seen = user.signed_in_at.isoformat(timespec="seconds") if user.signed_in_at else None
            if as_json:
                print_json(
                    {
                        "id": user.public_id,
                        "address": user.email,
                        "created_at": user.created_at.isoformat(timespec="seconds"),
                        "signed_in_at": seen,
                        "must_change": user.must_change,
                    }
                )
            else:
                note = "  (one-time password)" if user.must_change else ""
                click.echo(f"{user.email}  last signed in {seen or 'never'}{note}")


def _give_password(store: Callable[..., object], address: str, as_json: bool) -> None:

    key = account_key(address)
    runtime = open_runtime()
    password = one_time_password()
    hashed = hash_password(password)  # before the transaction: it takes its time
    with runtime.session() as session:
        store(session, key, hashed, ACTOR, runtime.now())
        session.commit()
    if as_json:
        print_json({"address": key, "one_time_password": password})
    else:
        click.echo(f"{key} signs in at {runtime.settings.public_url}/admin with this one-time password:")
        click.echo()
        click.echo(f"    {password}")
        click.echo()
        click.echo("It is shown only now, and must be changed at the first sign-in, within 72 hours.")
