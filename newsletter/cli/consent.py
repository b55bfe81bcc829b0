"""`newsletter consent`: check signed consent records, and the whole ledger against its signed head."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from newsletter.cli.context import open_settings, print_json
from newsletter.cli.runtime import open_runtime
from newsletter.cli.subscriber import print_record
from newsletter.subscribers.consent.head import FILE_NAME, Report, verify_all, write_head
from newsletter.subscribers.consent.signature import check_record, public_key_pem
from newsletter.tokens import Tokens


@click.group()
def consent() -> None:
    """Signed records of consent."""


READABLE = click.Path(path_type=Path, dir_okay=False, exists=True)


@consent.command()
@click.argument("file", type=READABLE, required=False)
@click.option(
    "--key",
    "key_file",
    type=READABLE,
    help="The key that the newsletter publishes, PEM. If left out: this installation's own.",
)
@click.option("--all", "everybody", is_flag=True, help="Check the ledger of everybody in the database.")
@click.option(
    "--head",
    "head_file",
    type=READABLE,
    help="With --all: the signed head. If left out: the one in the data folder.",
)
@click.option("--json", "as_json", is_flag=True, help="With --all: print JSON.")
def verify(
    file: Path | None, key_file: Path | None, everybody: bool, head_file: Path | None, as_json: bool
) -> None:
    """Check the signature of the consent record in FILE, and print the record.

    A good signature proves who made the record and that nobody changed it since. It does not prove that the
    entries are true, nor when they were made. With --key, neither settings nor a database are needed.

    With --all instead of FILE, check the entries of everybody and compare them with the signed head. The head
    shows which entries and people are missing since it was made.
    """
    if everybody == (file is not None):
        raise click.UsageError("Give a FILE, or --all.")
    if everybody and key_file is not None:
        raise click.UsageError("--key is for a FILE.")
    if file is None:
        _verify_all(head_file, as_json)
        return
    if head_file is not None or as_json:
        raise click.UsageError("--head and --json need --all.")

    pem = key_file.read_text("utf-8", "replace") if key_file else _own_key()
    record = check_record(file.read_text("utf-8", "replace"), pem)
    print_record(record)
    click.echo("The signature is good.")


def _verify_all(head_file: Path | None, as_json: bool) -> None:

    parts = open_runtime()
    path = head_file or parts.settings.data_dir / FILE_NAME
    # The file of `--head` may be a pipe.
    if head_file is not None or path.is_file():
        with path.open("rb") as head:
            report = verify_all(parts.reading, parts.tokens, head)
    else:
        report = verify_all(parts.reading, parts.tokens, None)
    if as_json:
        print_json(_as_json(report))
    else:
        _print_report(report)
    if report.fault_count or report.head_made_at is None:
        raise SystemExit(1)


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "head_made_at": report.head_made_at,
        "people": report.people,
        "entries": report.entries,
        "partly": report.partly,
        "newer": report.newer,
        "found": report.found,
        "fault_count": report.fault_count,
        "faults": [{"person": each.public_id, "what": each.what} for each in report.faults],
    }


def _print_report(report: Report) -> None:
    for each in report.faults:
        click.echo(f"{each.public_id}: {each.what}")
    click.echo(f"{report.entries} entries of {report.people} people were checked.")
    if report.partly:
        click.echo(
            f"{report.partly} erased people have older entries whose details are gone; "
            "the digests of these entries cannot be computed again."
        )
    if report.head_made_at is None:
        click.echo(
            "There is no signed head, so missing people and missing newest entries cannot be noticed. "
            "`newsletter consent head` makes one.",
            err=True,
        )
    else:
        click.echo(f"Compared with the signed head of {report.head_made_at[:19].replace('T', ' ')} UTC.")
    if report.is_of_other_database:
        click.echo(
            "Nobody of the head is in this database. The head is from another database, or all people are "
            "missing here."
        )
    if report.fault_count:
        click.echo(f"{report.fault_count} faults.")
    elif report.head_made_at is None:
        click.echo("Nothing is wrong with the entries that are there. The check is not complete.")
    else:
        click.echo("Nothing is wrong.")


@consent.command()
def head() -> None:
    """Print the signed head of the ledger as it is now. Store it away from the database.

    It has, for each person, the count of entries and the last digest, and no address. `newsletter consent
    verify --all --head FILE` compares the ledger with it.
    """
    parts = open_runtime()
    report = write_head(parts.reading, parts.tokens, sys.stdout.buffer, parts.now())
    if report.fault_count:
        click.echo(f"{report.fault_count} faults: see `newsletter consent verify --all`.", err=True)
        raise SystemExit(1)


@consent.command()
def key() -> None:
    """Print the key that checks this installation's records, PEM."""
    click.echo(_own_key(), nl=False)


def _own_key() -> str:

    return public_key_pem(Tokens(open_settings().secret_keys))
