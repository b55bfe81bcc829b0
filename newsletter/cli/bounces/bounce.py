"""`newsletter bounce`: read returned mail, receive incoming mail, and decide about refused addresses."""

from __future__ import annotations

import logging
import sys
import time

import click
from sqlalchemy.exc import SQLAlchemyError

from newsletter.bounces.history.queries import list_reports, read_message
from newsletter.bounces.read.reader import read_report
from newsletter.bounces.read.report import Kind, Report, as_json
from newsletter.cli.arguments import AnyText, newsletter_option
from newsletter.cli.bounces.bounce_history import go_on, history, undo
from newsletter.cli.context import invocation, print_json, program
from newsletter.cli.late_import import late_import
from newsletter.cli.processes.tried_settings import open_tried_settings
from newsletter.cli.runtime import open_runtime
from newsletter.errors import NewsletterError
from newsletter.mail.addresses import parse_address
from newsletter.models import ReportOutcome
from newsletter.newsletters.queries import choose_newsletter
from newsletter.notices import as_record
from newsletter.outbox.refused.owner_decisions import (
    find_question,
    list_refusals,
    questions,
    really_gone,
    send_again,
)
from newsletter.runtime import Runtime
from newsletter.service.checks.path_check import Found, check_path, random_address
from newsletter.service.database.schema import await_database
from newsletter.service.incoming.apply import LARGEST_MAIL_BYTES, take_in
from newsletter.service.incoming.files import MailFile, mails_of
from newsletter.service.logs import configure_logging
from newsletter.service.mailboxes.watch import accounts_of, read_all, watch_all

# sysexits.h: with this status, the mail server keeps the message and tries again. With any other status but
# 0, it returns the message to its sender.
EX_TEMPFAIL = 75
ACTOR = "command line"

log = logging.getLogger(__name__)


@click.group()
def bounce() -> None:
    """Incoming mail, and addresses that a relay refused."""


for command in (history, undo, go_on):
    bounce.add_command(command)


@bounce.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE|DIR|-...", type=click.Path(allow_dash=True))
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    type=AnyText(),
    metavar="ADDRESS",
    help="A recipient in the envelope, if known.",
)
@click.option(
    "--sender", type=AnyText(), metavar="ADDRESS", help="The envelope's sender, if known; empty for a bounce."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object for each email.")
def ingest(files: tuple[str, ...], recipients: tuple[str, ...], sender: str | None, as_json: bool) -> None:
    """Read incoming emails and act on them: unsubscribe, send a link, or record a report.

    FILE is one email or an mbox file, and - is one email on standard input. DIR is a Maildir, whose new
    emails are moved to cur afterwards. If an email cannot be handled now, for example because the database is
    down, the exit status is 75 (EX_TEMPFAIL). An SMTP server that runs this command then tries again later.
    """
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
    """Handle one email and print the result; return whether it need not be tried again."""
    try:
        done = take_in(parts, mail.raw, recipients or mail.recipients, sender)
    except NewsletterError as fault:
        # An email that cannot be handled now does not stop the others.
        click.echo(f"newsletter: {mail.name}: {fault}", err=True)
        return False
    except SQLAlchemyError as fault:
        click.echo(f"newsletter: {mail.name}: the database: {type(fault).__name__}", err=True)
        return False
    mail.settle()
    if as_json:
        print_json({"file": mail.name, "done": done})
    elif mail.name != "-":
        # In a pipe nothing is printed: the mail server would send the output to the author.
        click.echo(f"{mail.name}: {', '.join(done)}")
    return True


@bounce.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(allow_dash=True))
def parse(files: tuple[str, ...]) -> None:
    """Print what each FILE, a returned email, says: one JSON object a line, in the given order.

    Nothing is stored, and the email need not be ours. FILE can be - for standard input. If a file cannot be
    read, its line has an error and the exit status is 1.
    """
    failed = False
    for name in files:
        try:
            with click.open_file(name, "rb") as file:
                print_json({"file": name} | as_json(read_report(file.read(LARGEST_MAIL_BYTES))))
        except OSError as fault:
            failed = True
            error = f"cannot be read: {fault.strerror}"
            print_json({"file": name} | as_json(Report(Kind.OTHER)) | {"error": error})
    sys.exit(1 if failed else 0)


@bounce.command()
@click.argument("number", type=int, required=False, metavar="[ID]")
@click.option("--address", help="Only reports about emails to this address.")
@click.option(
    "--outcome",
    type=click.Choice([each.value for each in ReportOutcome]),
    help="Only reports with this outcome.",
)
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Show at most this many."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def reports(number: int | None, address: str | None, outcome: str | None, limit: int, as_json: bool) -> None:
    """List the newest reports and their outcomes. With an ID, print the message of that report."""
    with open_runtime().reading() as session:
        if number is not None:
            sys.stdout.buffer.write(read_message(session, number))
            return
        wanted = ReportOutcome(outcome) if outcome else None
        key = parse_address(address).canonical if address else None
        for each in list_reports(session, outcome=wanted, email_key=key, limit=limit):
            if as_json:
                print_json(each.as_record())
            else:
                facts = (each.reason, each.status, each.words)
                said = " ".join(fact for fact in facts if fact)
                click.echo(f"{each.id}  {each.received_at:%Y-%m-%d %H:%M}  {each.outcome.value:9}  {said}")


@bounce.command()
def serve() -> None:
    """Accept mail to our own addresses by SMTP or LMTP, in the foreground, at NEWSLETTER_INTAKE_LISTEN.

    `newsletter run` does this too if that is set.
    """
    configure_logging()
    await_database(open_tried_settings(invocation()).database)
    # SMTP servers may start `ingest` for each email, and that needs no aiosmtpd.
    late_import("newsletter.service.incoming.server:run_mail_server")(open_runtime())


@bounce.command()
@click.argument("address", required=False)
@click.option(
    "--wait", type=click.IntRange(1, 86_400), default=300, show_default=True, help="Seconds to wait at most."
)
@newsletter_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(address: str | None, wait: int, newsletter_slug: str | None, as_json: bool) -> None:
    """Send an email to an address that does not exist, and wait until its report comes back.

    ADDRESS is best at another provider. Without it, a random name at the sender's own domain is taken. The
    exit status is 0 only if something came back.
    """
    runtime = open_runtime()
    with runtime.reading() as session:
        sender = runtime.sender(choose_newsletter(session, newsletter_slug).id)
    target = parse_address(address) if address else parse_address(random_address(sender))

    def say(note: str) -> None:
        if note and not as_json:
            click.echo(note)
        if not as_json:
            click.echo(f"The relay accepted the email. Waiting up to {wait} seconds for its report ...")

    result = check_path(runtime, sender, target, wait, time.sleep, say)
    if as_json:
        print_json(result.as_json())
    else:
        click.echo("\n".join([result.words, *(f"- {each}" for each in result.advice)]))
    sys.exit(0 if result.found is Found.RETURNED else 1)


@bounce.command()
@click.option("--watch", is_flag=True, help="Go on until stopped, and read new emails as they come.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object for each mailbox.")
def fetch(watch: bool, as_json: bool) -> None:
    """Read the mailboxes in NEWSLETTER_MAILBOXES by IMAP or POP3, and act on their emails.

    `newsletter run` does this too. If a mailbox cannot be read now, the exit status is 1.
    """
    configure_logging(logging.INFO if watch else logging.WARNING)
    if watch:
        await_database(open_tried_settings(invocation()).database)
    runtime = open_runtime()
    accounts = accounts_of(runtime.settings)
    if watch:
        watch_all(runtime, accounts)
        return
    failed = False
    for mailbox, counts, fault in read_all(runtime, accounts):
        failed |= bool(fault)
        if as_json:
            done = {"mailbox": mailbox.name, "read": counts.read, "done": dict(counts.done)}
            others = {"left_alone": counts.left_alone, "later": counts.later, "skipped": counts.skipped}
            print_json(done | others | {"error": fault or None})
            continue
        words = (
            ", ".join(f"{number} {word}" for word, number in sorted(counts.done.items())) or "nothing for us"
        )
        click.echo(f"{mailbox.name}: {counts.read} read: {words}")
        if fault:
            click.echo(f"newsletter: {mailbox.name}: {fault}", err=True)
    sys.exit(1 if failed else 0)


@bounce.command()
@click.argument("number", type=int, required=False, metavar="[ID]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def held(number: int | None, as_json: bool) -> None:
    """List refused addresses that wait for your answer. With an ID, list those of one question."""
    with open_runtime().reading() as session:
        if number is not None:
            for each in list_refusals(session, find_question(session, number), limit=1_000_000):
                if as_json:
                    print_json({"address": each.address, "issue": each.issue, "reply": each.reply})
                else:
                    click.echo(f"{each.address}  {each.issue}  {each.reply}")
            return
        found = questions(session)
        for question in found:
            record = as_record(question.notice)
            if as_json:
                shown = ("id", "kind", "subject", "sentence")
                print_json({name: record[name] for name in shown} | {"refused": question.number})
                continue
            click.echo(f"{question.notice.id}  {record['sentence']}")
            which = f"{question.notice.id} --count {question.number}"
            click.echo(f"  really gone: {program()} bounce gone {which}")
            click.echo(f"  send again:  {program()} bounce again {which}")
        if not found and not as_json:
            click.echo("No refused address waits for an answer.")


@bounce.command()
@click.argument("number", type=int, metavar="ID")
@click.option("--count", type=int, required=True, help="How many refused addresses you were shown.")
def gone(number: int, count: int) -> None:
    """Confirm that the addresses of question ID do not exist: they get no more email."""
    parts = open_runtime()
    with parts.session() as session:
        new = really_gone(session, parts.tokens, number, count, ACTOR, parts.now())
        session.commit()
    parts.wake("bulk")
    click.echo(f"{new} addresses get no more email.")


@bounce.command()
@click.argument("number", type=int, metavar="ID")
@click.option("--count", type=int, required=True, help="How many refused addresses you were shown.")
def again(number: int, count: int) -> None:
    """Send to the refused addresses of question ID again, and resume what was paused because of them."""
    parts = open_runtime()
    with parts.session() as session:
        queued = send_again(session, number, count, ACTOR, parts.now())
        session.commit()
    parts.wake("bulk")
    click.echo(f"{queued} emails are sent again.")
