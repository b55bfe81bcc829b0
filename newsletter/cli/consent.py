"""`newsletter consent`: check a signed record of consent, with or without an installation."""

from __future__ import annotations

from pathlib import Path

import click

from newsletter.cli.context import open_settings


@click.group()
def consent() -> None:
    """Signed records of consent."""


@consent.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The key that the newsletter publishes, PEM; this installation's own when left out.",
)
def verify(file: Path, key_file: Path | None) -> None:
    """Check that FILE is as it was made by whoever holds the key, and show it.

    A good signature proves who made the record and that nobody changed it since. It does not prove
    that what was entered is true, nor when. With --key neither settings nor a database are needed.
    """
    from newsletter.cli.subscriber import print_record  # noqa: PLC0415 (keeps --help quick)
    from newsletter.subscriptions.signed_record import check_record  # noqa: PLC0415

    pem = key_file.read_text("utf-8", "replace") if key_file else _own_key()
    record = check_record(file.read_text("utf-8", "replace"), pem)
    print_record(record)
    click.echo("The signature is good.")


@consent.command()
def key() -> None:
    """Print the key that checks this installation's records, PEM."""
    click.echo(_own_key(), nl=False)


def _own_key() -> str:
    from newsletter.subscriptions.signed_record import public_key_pem  # noqa: PLC0415
    from newsletter.tokens import Tokens  # noqa: PLC0415

    return public_key_pem(Tokens(open_settings().secret_keys))
