"""`newsletter bounce`: mail that comes to us is read and done, from a pipe, files, a Maildir or by SMTP."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import click

from newsletter.cli.arguments import AnyText
from newsletter.cli.context import invocation, open_runtime, print_json
from newsletter.errors import NewsletterError

if TYPE_CHECKING:
    from newsletter.runtime import Runtime
    from newsletter.service.mail_files import MailFile

# sysexits.h: a mail server that runs this keeps the message and tries again. With any other
# status but 0 it would send it back.
EX_TEMPFAIL = 75

log = logging.getLogger(__name__)


@click.group()
def bounce() -> None:
    """Mail that comes to us: readers who leave by mail."""


@bounce.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE|DIR|-...", type=click.Path(allow_dash=True))
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    type=AnyText(),
    metavar="ADDRESS",
    help="Whom the envelope named, if known.",
)
@click.option(
    "--sender", type=AnyText(), metavar="ADDRESS", help="The envelope's sender, if known; empty for a bounce."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a mail.")
def ingest(files: tuple[str, ...], recipients: tuple[str, ...], sender: str | None, as_json: bool) -> None:
    """Read mails and do what they ask for.

    A FILE is one mail, - is one on standard input, DIR is a Maildir, whose new mails are moved to cur
    when they are done. If something is in the way, such as the database, the exit status is 75
    (EX_TEMPFAIL): a mail server that runs this tries again later.
    """
    from newsletter.service.logs import configure_logging  # noqa: PLC0415
    from newsletter.service.mail_files import mails_of  # noqa: PLC0415

    configure_logging(logging.WARNING)
    whole = True
    try:
        parts = open_runtime()
        for name in files:
            for mail in mails_of(name, invocation().environ):
                whole &= _take(parts, mail, recipients, sender, as_json)
    except NewsletterError as fault:
        click.echo(f"newsletter: {fault}", err=True)
        whole = False
    except Exception:
        log.exception("event=mail_not_read")
        whole = False
    sys.exit(0 if whole else EX_TEMPFAIL)


def _take(
    parts: Runtime, mail: MailFile, recipients: tuple[str, ...], sender: str | None, as_json: bool
) -> bool:
    """Do one mail, and say what came of it; return whether it need not be tried again."""
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from newsletter.service.mail_in import take_in  # noqa: PLC0415

    try:
        done = take_in(parts, mail.raw, recipients or mail.recipients, sender)
    except SQLAlchemyError as fault:
        click.echo(f"newsletter: {mail.name}: the database: {type(fault).__name__}", err=True)
        return False
    mail.settle()
    if as_json:
        print_json({"file": mail.name, "done": done})
    elif mail.name != "-":
        # What a program in a pipe prints, a mail server sends back to the author.
        click.echo(f"{mail.name}: {', '.join(done)}")
    return True


@bounce.command()
def serve() -> None:
    """Take mail to our own addresses by SMTP or LMTP, in the foreground, as NEWSLETTER_INTAKE_LISTEN says.

    `newsletter run` does this too when that is set.
    """
    from newsletter.service.database import await_database  # noqa: PLC0415
    from newsletter.service.logs import configure_logging  # noqa: PLC0415
    from newsletter.service.mail_server import run_mail_server  # noqa: PLC0415

    configure_logging()
    await_database(invocation().tried_settings().database)
    run_mail_server(open_runtime())
