"""`newsletter digest`: preview, send, watch, pause and resume issues."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import click

from newsletter import audit
from newsletter.cli.arguments import IdCommand
from newsletter.cli.context import print_json, program
from newsletter.cli.runtime import open_runtime
from newsletter.digest import preview as previews
from newsletter.digest.issues import open_issue, send_test
from newsletter.digest.preview import Preview
from newsletter.digest.select import count_subscribers
from newsletter.errors import StateConflict
from newsletter.mail.addresses import parse_address
from newsletter.models import DeliveryState, Frequency, Issue, IssueState, current_sequence
from newsletter.outbox import control, unbuildable
from newsletter.outbox.journal import host_name
from newsletter.outbox.pacing.standings import read_standing
from newsletter.outbox.pacing.waiting_reasons import own_hours_in_words, reasons_to_wait
from newsletter.outbox.record import give_up_host
from newsletter.outbox.reports.delivery_list import as_csv, list_deliveries
from newsletter.outbox.reports.issue_list import newest_issues
from newsletter.outbox.reports.progress import Progress, progress
from newsletter.outbox.worker import journal_folder
from newsletter.runtime import Runtime
from newsletter.service.heartbeat import alive_hosts

ACTOR = "command line"
# "immediate" is the stored value, and the former name of the option.
FREQUENCIES = {each.option: each.value for each in Frequency} | {"immediate": Frequency.IMMEDIATE.value}
LOOK_SECONDS = 1.0
# How many issues `status` lists without an ID.
LISTED = 10

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


def _to_values(_context: click.Context, _option: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(FREQUENCIES[name] for name in names))


frequency_option = click.option(
    "--frequency", "frequencies", multiple=True, type=click.Choice(list(FREQUENCIES)),
    default=list(FREQUENCIES), callback=_to_values,
    help="Subscribers of this frequency; may be repeated. All when left out.",
)  # fmt: skip
id_argument = click.argument("public_id", metavar="ID")


@click.group()
def digest() -> None:
    """Issues: preview, send, watch, pause."""


@digest.command()
@frequency_option
@click.option(
    "--topic", "topics", multiple=True, metavar="SLUG", help="As a subscriber of these topics gets it."
)
@click.option("--reader", metavar="ADDRESS", help="As this subscriber would get it now.")
@click.option("--html", "as_html", is_flag=True, help="Print the HTML instead of the text.")
@json_option
def preview(
    frequencies: tuple[str, ...], topics: tuple[str, ...], reader: str | None, as_html: bool, as_json: bool
) -> None:
    """Print the next issue. Sends nothing and changes nothing."""
    parts = open_runtime()
    found = _preview(parts, frequencies, topics, reader)
    if as_json:
        print_json(
            {
                "subject": found.subject,
                "readers": found.subscribers,
                "releases": [each.public_id for each in found.releases],
                "html_bytes": found.html_bytes,
                "is_sample": found.is_sample,
            }
        )
        return
    if found.is_sample:
        click.echo("Nothing is new; these are the newest releases that went out before.\n", err=True)
    click.echo(found.html if as_html else f"Subject: {found.subject}\n\n{found.text}")


@digest.command()
@frequency_option
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and end.")
@click.option("--test", "recipient", metavar="ADDRESS", help="Send it to this one address only.")
@click.option("--yes", is_flag=True, help="Do not ask for the number of subscribers.")
@click.option("--own-hour", is_flag=True, help="Subscribers who chose an hour get it at that hour.")
@json_option
def send(
    frequencies: tuple[str, ...],
    dry_run: bool,
    recipient: str | None,
    yes: bool,
    own_hour: bool,
    as_json: bool,
) -> None:
    """Send the new releases to every subscriber of these frequencies.

    Asks you to type the number of subscribers first. The running service sends the issue; see `digest
    status`.
    """
    parts = open_runtime()
    if recipient is not None:
        _send_test(parts, frequencies, recipient)
        return
    chosen = [Frequency(each) for each in frequencies]
    with parts.reading() as session:
        subscribers = count_subscribers(session, chosen, current_sequence(session))
    if dry_run:
        if as_json:
            print_json({"readers": subscribers, "frequencies": list(frequencies)})
        else:
            click.echo(
                f"{_subscribers(subscribers)} would get it ({', '.join(each.words for each in chosen)})."
            )
        return
    if subscribers and not yes:
        typed = click.prompt(f"{_subscribers(subscribers)} would get it. Type that number to send", type=int)
        if typed != subscribers:
            raise click.ClickException("That is another number; nothing was sent.")
    with parts.session() as session:
        issue = open_issue(session, chosen, actor=ACTOR, now=parts.now(), own_hour=own_hour)
        public_id = issue.public_id
        session.commit()
    parts.wake("bulk")
    if as_json:
        print_json({"id": public_id, "readers": subscribers})
    else:
        click.echo(f"{public_id}  is being sent to {_subscribers(subscribers)}; watch it with:")
        click.echo(f"  {program()} digest status {public_id} --watch")


@digest.command(cls=IdCommand)
@click.argument("public_id", metavar="[ID]", required=False)
@click.option(
    "--watch",
    is_flag=True,
    help="Show a progress bar until nothing waits; without an ID, of the newest issue.",
)
@json_option
def status(public_id: str | None, watch: bool, as_json: bool) -> None:
    """Show the progress of an issue, or of the last issues without an ID."""
    parts = open_runtime()
    if public_id is None:
        with parts.reading() as session:
            last = newest_issues(session, LISTED)
        if watch and last:
            public_id = last[0].public_id
        else:
            if not last and not as_json:
                click.echo("There is no issue yet.", err=True)
            for issue in last:
                _print_status(parts, issue, as_json)
            return
    if watch and not as_json:
        _watch(parts, public_id)
    _print_status(parts, _load(parts, public_id), as_json)


@digest.command(cls=IdCommand)
@id_argument
@click.option("--state", help="Only those in this state, such as rejected.")
@json_option
def deliveries(public_id: str, state: str | None, as_json: bool) -> None:
    """Print who got an issue, who did not, and why, as CSV or JSON."""
    if state is not None and state not in set(DeliveryState):
        raise click.BadParameter(f"is one of {', '.join(DeliveryState)}", param_hint="--state")
    parts = open_runtime()
    issue = _load(parts, public_id)
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
            # Cancelling commits every few thousand rows, so that no other transaction waits for all of them.
            more = (session.commit,) if act == "cancel" else ()
            done = do(session, issue, ACTOR, parts.now(), *more)
            session.commit()
        parts.wake("bulk")
        said = done.in_words() if isinstance(done, control.SentAgain) else done
        click.echo(f"{public_id}  {name}" + ("" if said is None else f": {said}"))

    return command


for _name, _act, _line in (
    ("pause", "pause", "Stop an issue; emails that the relay has already are delivered."),
    ("resume", "resume", "Resume a paused issue."),
    ("cancel", "cancel", "End an issue; subscribers get its releases with a later one."),
    ("retry-rejected", "retry_rejected", "Send again what the relay refused."),
    ("resend-uncertain", "resend_uncertain", "Send again what may or may not have arrived."),
    ("skip-unbuildable", "skip_unbuildable", "Skip messages that cannot be made; their releases come later."),
):
    digest.add_command(_steering(_name, _act, _line))


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
    if found.alive:
        words = "1 worker" if found.alive == 1 else f"{found.alive} workers"
        click.echo(f"{words} of that name run here; what they hold was left to them.")
    click.echo("`newsletter digest status` shows what is uncertain.")


def _subscribers(count: int) -> str:
    return "1 subscriber" if count == 1 else f"{count:,} subscribers"


def _preview(
    parts: Runtime, frequencies: tuple[str, ...], topics: tuple[str, ...] = (), reader: str | None = None
) -> Preview:

    with parts.reading() as session:
        found = previews.preview(
            session,
            parts.renderer,
            frequencies=[Frequency(each) for each in frequencies],
            now=parts.now(),
            topics=topics,
            email_key=parse_address(reader).canonical if reader else None,
        )
    if found is None:
        raise StateConflict("There is no release yet; add one with: newsletter release add FILE")
    return found


def _send_test(parts: Runtime, frequencies: tuple[str, ...], recipient: str) -> None:

    address = parse_address(recipient)
    selection = _preview(parts, frequencies).selection
    with parts.session() as session:
        send_test(session, parts.renderer, selection, recipient=address.text, actor=ACTOR, now=parts.now())
        session.commit()
    parts.wake("single")
    click.echo("The test is on its way.")


def _load(parts: Runtime, public_id: str) -> Issue:

    with parts.reading() as session:
        return control.find_issue(session, public_id, lock=False)


def _progress(parts: Runtime, issue: Issue) -> Progress:

    with parts.reading() as session:
        return progress(session, issue.id, parts.now())


def _print_status(parts: Runtime, issue: Issue, as_json: bool) -> None:
    found = _progress(parts, issue)
    counts = {str(state): count for state, count in sorted(found.by_state.items())}
    waits = _waits(parts, issue, found)
    if as_json:
        answer: dict[str, Any] = {
            "id": issue.public_id,
            "title": issue.title,
            "state": issue.state,
            "frequencies": issue.frequencies,
            "total": found.total,
            "deliveries": counts,
            "rate": round(found.rate, 1),
            "eta_seconds": found.eta_seconds,
            "note": issue.note,
            "waits": waits,
        }
        print_json(answer)
        return
    states = ", ".join(f"{count} {state}" for state, count in counts.items()) or "nothing yet"
    click.echo(f"{issue.public_id}  {issue.title}  {issue.state}: {states}")
    for line in [issue.note, *waits]:
        if line:
            click.echo(f"  {line}")


def _waits(parts: Runtime, issue: Issue, found: Progress) -> list[str]:
    """Return the reasons why an issue that is being sent has to wait."""
    if issue.state is not IssueState.SENDING:
        return []
    sender = parts.sender(issue.newsletter_id)
    with parts.reading() as session:
        standing = read_standing(session, sender, parts.now())
    hours = own_hours_in_words(found.later, found.last_hour_at, sender.zone)
    return reasons_to_wait(standing, sender, parts.now()) + hours


def _watch(parts: Runtime, public_id: str) -> None:
    """Draw a progress bar until the issue waits for nothing but subscribers' preferred hours."""
    moving = {IssueState.PREPARING, IssueState.SENDING}
    issue = _load(parts, public_id)
    while issue.state is IssueState.PREPARING:
        time.sleep(LOOK_SECONDS)
        issue = _load(parts, public_id)
    found = _progress(parts, issue)
    with click.progressbar(length=found.total, label=issue.title, file=sys.stderr, show_pos=True) as bar:
        bar.update(found.settled)
        while issue.state in moving and found.waiting > found.later:
            time.sleep(LOOK_SECONDS)
            issue, before = _load(parts, public_id), found
            found = _progress(parts, issue)
            bar.label = f"{issue.title}  {found.rate:.0f}/s"
            bar.update(found.settled - before.settled)
