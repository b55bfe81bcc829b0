"""`newsletter dkim`: make the keys that sign our emails."""

from __future__ import annotations

import os
from pathlib import Path

import click

from newsletter.mail.dkim import generate_key, load_key, zone_line


@click.group()
def dkim() -> None:
    """Keys that sign our emails."""


@dkim.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--domain", required=True, help="The domain of the From address.")
@click.option("--selector", required=True, help="A name for this key, such as s2026.")
@click.option("--kind", type=click.Choice(["rsa", "ed25519"]), default="rsa", show_default=True)
def new(file: Path, domain: str, selector: str, kind: str) -> None:
    """Make a key, add it to FILE (readable by you only), and print the DNS record to publish.

    All receivers support RSA. You may add an Ed25519 key to the same file for a second signature.
    """
    pem, text = generate_key(kind)
    key = load_key(pem, selector=selector, domain=domain)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(pem)
    except OSError as fault:
        raise click.ClickException(f"{file} cannot be written: {fault.strerror}") from fault
    click.echo(zone_line(key.dns_name, text))
    click.echo(
        f"\nPublish this record, then set NEWSLETTER_DKIM_KEY_FILE={file} and add {selector} to "
        "NEWSLETTER_DKIM_SELECTOR.",
        err=True,
    )
