"""`newsletter relay`: check whether the relay accepts our emails."""

from __future__ import annotations

import sys

import click

from newsletter.cli.context import open_settings, print_json
from newsletter.cli.runtime import open_runtime
from newsletter.clock import utcnow
from newsletter.errors import ServiceError
from newsletter.messages.sender import Sender, with_backups
from newsletter.outbox.pacing.setup.relay_checks import keep_check
from newsletter.runtime import Runtime
from newsletter.service.checks.relay_check import check_relay, lines_of, owner_of


@click.group()
def relay() -> None:
    """The relay that sends our emails."""


@relay.command()
@click.option("--send", is_flag=True, help="Send one real message to the owner as well.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def check(send: bool, as_json: bool) -> None:
    """Talk to the relays of each newsletter as sending does, and say what would fail.

    It greets, signs in, and offers the sender and the owner's address, then cancels. Without --send, no
    message is sent. The exit status is 1 if something would fail. The admin overview shows the last results.
    """
    settings, runtime = open_settings(), _runtime()
    senders = with_backups(runtime.senders() if runtime is not None else [Sender.of_settings(settings)])
    first = senders[0].identity
    if not first.from_address:
        raise ServiceError("The newsletter has no sender yet. Set NEWSLETTER_FROM_ADDRESS.")
    owner = owner_of(settings, None, first.from_address)
    if runtime is not None:
        with runtime.reading() as session:
            owner = owner_of(settings, session, first.from_address)
    failed = False
    for sender in senders:
        report = check_relay(sender, owner, utcnow(), send=send)
        failed |= report.failed
        if runtime is not None:
            with runtime.session() as session:
                keep_check(session, sender, report.as_json(), runtime.now())
                session.commit()
        if as_json:
            print_json(report.as_json())
            continue
        if len(senders) > 1:
            which = f", backup relay {report.relay}" if report.by_backup else ""
            click.echo(f"{report.newsletter} ({sender.identity.from_address}){which}")
        click.echo("\n".join(lines_of(report)))
    sys.exit(1 if failed else 0)


def _runtime() -> Runtime | None:
    """Return the runtime; None without a database, because the relay can be checked before there is one."""
    try:
        return open_runtime()
    except ServiceError as fault:
        click.echo(f"The result is not kept for the overview: {fault}", err=True)
        return None
