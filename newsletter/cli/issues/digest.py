"""`newsletter digest`: preview, send, watch, pause and resume issues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TextIO

import click

from newsletter import audit
from newsletter.cli.arguments import IdCommand, newsletter_option
from newsletter.cli.context import print_json, program
from newsletter.cli.issues.approve import approve
from newsletter.cli.issues.check import check
from newsletter.cli.issues.editors_note import note_options, read_note_file
from newsletter.cli.issues.explain import explain_command
from newsletter.cli.issues.frequencies import frequency_option
from newsletter.cli.issues.issue_status import load_issue, print_status, watch_issue
from newsletter.cli.issues.order import order
from newsletter.cli.issues.send_from_here import send_from_here_command
from newsletter.cli.runtime import open_runtime
from newsletter.digest import preview as previews
from newsletter.digest.by_hand import read_start
from newsletter.digest.issues import open_issue, send_test
from newsletter.digest.preview import Preview
from newsletter.digest.reach import count_reach
from newsletter.errors import StateConflict
from newsletter.mail.addresses import parse_address
from newsletter.models import DeliveryState, Frequency, IssueState, current_sequence
from newsletter.newsletters.queries import choose_newsletter, find_newsletter
from newsletter.outbox import control, unbuildable
from newsletter.outbox.drain.worker import journal_folder
from newsletter.outbox.journals.holders import lease_holders
from newsletter.outbox.journals.journal import host_name
from newsletter.outbox.recover import give_up_host
from newsletter.outbox.reports.delivery_list import as_csv, list_deliveries
from newsletter.outbox.reports.issue_list import newest_issues
from newsletter.runtime import Runtime
from newsletter.service.heartbeat import alive_hosts

ACTOR = "command line"
# How many issues `status` lists without an ID.
LISTED = 10

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


id_argument = click.argument("public_id", metavar="ID")


@click.group()
def digest() -> None:
    """Issues: preview, explain, send, watch, pause."""


digest.add_command(explain_command)
digest.add_command(send_from_here_command)


@digest.command()
@newsletter_option
@frequency_option
@click.option(
    "--topic", "topics", multiple=True, metavar="SLUG", help="As a subscriber of these topics gets it."
)
@click.option("--reader", metavar="ADDRESS", help="As this subscriber would get it now.")
@click.option("--html", "as_html", is_flag=True, help="Print the HTML instead of the text.")
@json_option
def preview(
    newsletter_slug: str | None,
    frequencies: tuple[str, ...],
    topics: tuple[str, ...],
    reader: str | None,
    as_html: bool,
    as_json: bool,
) -> None:
    """Print the next issue of a newsletter. Sends nothing and changes nothing."""
    parts = open_runtime()
    found = _preview(parts, _choose(parts, newsletter_slug), frequencies, topics, reader)
    if as_json:
        print_json(
            {
                "subject": found.subject,
                "readers": found.reach.would_reach_now,
                **found.reach._asdict(),
                "releases": [each.public_id for each in found.releases],
                "html_bytes": found.html_bytes,
                "is_sample": found.is_sample,
            }
        )
        return
    click.echo(f"{found.reach.in_words().capitalize()}\n", err=True)
    if found.is_sample:
        click.echo("Nothing is new; these are the newest releases that went out before.\n", err=True)
    click.echo(found.html if as_html else f"Subject: {found.subject}\n\n{found.text}")


@digest.command()
@newsletter_option
@frequency_option
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and end.")
@click.option("--test", "recipient", metavar="ADDRESS", help="Send it to this one address only.")
@click.option("--yes", is_flag=True, help="Do not ask for the number of subscribers.")
@note_options
@click.option("--own-hour", is_flag=True, help="Subscribers who chose an hour get it at that hour.")
@click.option("--at", "start", metavar="TIME", default="", help="Not before, such as 2026-03-10T08:00.")
@json_option
def send(
    newsletter_slug: str | None,
    frequencies: tuple[str, ...],
    dry_run: bool,
    recipient: str | None,
    yes: bool,
    note_file: TextIO | None,
    note_language: str | None,
    own_hour: bool,
    start: str,
    as_json: bool,
) -> None:
    """Send the new releases to every subscriber of these frequencies.

    Asks you to type the number of subscribers first. The running service sends the issue; see `digest
    status`.
    """
    parts = open_runtime()
    newsletter_id = _choose(parts, newsletter_slug)
    note = read_note_file(parts, newsletter_id, note_file, note_language)
    if recipient is not None:
        _send_test(parts, newsletter_id, frequencies, recipient, note)
        return
    starts_at = read_start(start, parts.sender(newsletter_id).identity.time_zone, parts.now())
    chosen = [Frequency(each) for each in frequencies]
    with parts.reading() as session:
        reach = count_reach(session, chosen, current_sequence(session), newsletter_id)
    subscribers = reach.would_reach_now
    if dry_run:
        if as_json:
            print_json({"readers": subscribers, **reach._asdict(), "frequencies": list(frequencies)})
        else:
            click.echo(f"{', '.join(each.words for each in chosen)}: {reach.in_words()}")
        return
    if subscribers and not yes:
        typed = click.prompt(f"{_subscribers(subscribers)} would get it. Type that number to send", type=int)
        if typed != subscribers:
            raise click.ClickException("That is another number; nothing was sent.")
    with parts.session() as session:
        issue = open_issue(
            session,
            chosen,
            actor=ACTOR,
            now=parts.now(),
            own_hour=own_hour,
            newsletter_id=newsletter_id,
            starts_at=starts_at,
            note=note.get("note", ""),
            note_language=note.get("note_language", ""),
        )
        public_id, state = issue.public_id, issue.state
        session.commit()
    parts.wake("bulk")
    if as_json:
        print_json({"id": public_id, "readers": subscribers, "state": state})
    elif state is IssueState.HELD:
        click.echo(f"{public_id}  waits until another person approves it, on its page.")
    elif state is IssueState.SCHEDULED:
        click.echo(f"{public_id}  is planned. Until then: {program()} digest cancel {public_id}")
    else:
        click.echo(f"{public_id}  is being sent to {_subscribers(subscribers)}; watch it with:")
        click.echo(f"  {program()} digest status {public_id} --watch")


@digest.command(cls=IdCommand)
@click.argument("public_id", metavar="[ID]", required=False)
@click.option(
    "--watch",
    is_flag=True,
    help="Show a progress bar until nothing waits. If no ID is given: of the newest issue.",
)
@click.option(
    "--newsletter", "newsletter_slug", metavar="SLUG", help="Without an ID: only issues of this newsletter."
)
@json_option
def status(public_id: str | None, watch: bool, newsletter_slug: str | None, as_json: bool) -> None:
    """Show the progress of an issue, or of the last issues without an ID."""
    parts = open_runtime()
    if public_id is None:
        with parts.reading() as session:
            only = find_newsletter(session, newsletter_slug).id if newsletter_slug else None
            last = newest_issues(session, LISTED, only)
        if watch and last:
            public_id = last[0].public_id
        else:
            if not last and not as_json:
                click.echo("There is no issue yet.", err=True)
            for issue in last:
                print_status(parts, issue, as_json)
            return
    if watch and not as_json:
        watch_issue(parts, public_id)
    print_status(parts, load_issue(parts, public_id), as_json)


@digest.command(cls=IdCommand)
@id_argument
@click.option("--state", help="Only those in this state, such as rejected.")
@json_option
def deliveries(public_id: str, state: str | None, as_json: bool) -> None:
    """Print who got an issue, who did not, and why, as CSV or JSON."""
    if state is not None and state not in set(DeliveryState):
        raise click.BadParameter(f"is one of {', '.join(DeliveryState)}", param_hint="--state")
    parts = open_runtime()
    issue = load_issue(parts, public_id)
    with parts.reading() as session:
        lines = list_deliveries(session, issue.id, DeliveryState(state) if state else None)
        if not as_json:
            for text in as_csv(lines):
                click.echo(text, nl=False)
            return
        for line in lines:
            settled = line.settled_at.isoformat(timespec="seconds") if line.settled_at else None
            print_json(line._asdict() | {"settled_at": settled})


def _steering(name: str, act: str, help_line: str) -> click.Command:
    @click.command(name, help=help_line, cls=IdCommand)
    @id_argument
    def command(public_id: str) -> None:

        parts = open_runtime()
        module = unbuildable if act == "skip_unbuildable" else control
        do: Callable[..., int | control.SentAgain | None] = getattr(module, act)
        with parts.session() as session:
            issue = control.find_issue(session, public_id)
            done = do(session, issue, ACTOR, parts.now())
            session.commit()
        parts.wake("bulk")
        said = done.in_words() if isinstance(done, control.SentAgain) else done
        click.echo(f"{public_id}  {name}" + ("" if said is None else f": {said}"))

    return command


for _name, _act, _line in (
    ("pause", "pause", "Stop an issue; emails that the relay has already are delivered."),
    ("resume", "resume", "Resume a paused issue."),
    ("retry-rejected", "retry_rejected", "Send again what the relay refused."),
    ("resend-uncertain", "resend_uncertain", "Send again what may or may not have arrived."),
    ("skip-unbuildable", "skip_unbuildable", "Skip messages that cannot be made; their releases come later."),
):
    digest.add_command(_steering(_name, _act, _line))


digest.add_command(approve)
digest.add_command(check)
digest.add_command(order)


@digest.command(cls=IdCommand)
@id_argument
@click.option("--drop", is_flag=True, help="Do not bring its releases with the next issue.")
def cancel(public_id: str, drop: bool) -> None:
    """End an issue. Subscribers who do not have it get its releases with the next issue."""
    parts = open_runtime()
    with parts.session() as session:
        issue = control.find_issue(session, public_id)
        # It commits every few thousand rows, so that no other transaction waits for all of them.
        count = control.cancel(session, issue, ACTOR, parts.now(), session.commit, drop=drop)
        session.commit()
    sequel = "their releases are dropped" if drop else "their releases come with the next issue"
    click.echo(f"{public_id}  cancel: {count} emails that were not sent; {sequel}")


@digest.command("lost-host")
@click.argument("host")
@json_option
def lost_host(host: str, as_json: bool) -> None:
    """Decide the deliveries that the workers of HOST had leased, if HOST is lost for good.

    The journals of HOST in the data folder say what was sent. Without a journal, digests become uncertain,
    because nobody can know what was sent, and single emails are sent again. Do not name a host that is alive:
    its workers do this themselves. For this host's own name, only expired leases without a journal are
    decided.
    """
    parts = open_runtime()
    now = parts.now()
    own = host == host_name()
    with parts.session() as session:
        if not own and host in alive_hosts(session, now):
            raise StateConflict(f"the host {host} is alive: its own workers clear up after each other")
        folder = journal_folder(parts.settings)
        found = give_up_host(session, parts.messages, folder, host, now, lapsed_only=own)
        audit.record(
            session, ACTOR, "host.lost", host, now, deliveries=found.decided, by_journal=found.by_journal
        )
        session.commit()
    if as_json:
        print_json(
            {
                "host": host,
                "deliveries": found.decided,
                "by_journal": found.by_journal,
                "workers_alive": found.alive,
            }
        )
        return
    click.echo(f"{found.decided} deliveries were decided, {found.by_journal} of them by a journal.")
    if not found.decided and not found.alive:
        others = ", ".join(sorted(lease_holders(parts.reading, folder).elsewhere))
        click.echo(f"Deliveries are held by: {others}." if others else "No other host holds a delivery.")
    if found.alive:
        words = "1 worker" if found.alive == 1 else f"{found.alive} workers"
        click.echo(f"{words} of that name run here; what they hold was left to them.")
    click.echo("`newsletter digest status` shows what is uncertain.")


def _subscribers(count: int) -> str:
    return "1 subscriber" if count == 1 else f"{count:,} subscribers"


def _choose(parts: Runtime, slug: str | None) -> int:
    """Return the id of the newsletter that a command is about."""
    with parts.reading() as session:
        return choose_newsletter(session, slug).id


def _preview(
    parts: Runtime,
    newsletter_id: int,
    frequencies: tuple[str, ...],
    topics: tuple[str, ...] = (),
    reader: str | None = None,
) -> Preview:

    with parts.reading() as session:
        found = previews.preview(
            session,
            parts.renderer,
            frequencies=[Frequency(each) for each in frequencies],
            now=parts.now(),
            topics=topics,
            email_key=parse_address(reader).canonical if reader else None,
            newsletter_id=newsletter_id,
        )
    if found is None:
        said = previews.nothing_to_show(topics, for_subscriber=reader is not None)
        raise StateConflict(f"{said} Add one: {program()} release add FILE")
    return found


def _send_test(
    parts: Runtime,
    newsletter_id: int,
    frequencies: tuple[str, ...],
    recipient: str,
    note: Mapping[str, str],
) -> None:

    address = parse_address(recipient)
    shown = _preview(parts, newsletter_id, frequencies)
    with parts.session() as session:
        send_test(
            session,
            parts.renderer,
            shown.selection,
            recipient=address.text,
            actor=ACTOR,
            now=parts.now(),
            newsletter_id=newsletter_id,
            order=shown.order,
            **note,
        )
        session.commit()
    parts.wake("single")
    click.echo("The test is on its way.")
