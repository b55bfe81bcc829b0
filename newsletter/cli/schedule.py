"""`newsletter schedule`: show, change, try, start and stop the schedule of a newsletter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import click

from newsletter.calendar.instants import zone_of
from newsletter.cli.arguments import newsletter_option
from newsletter.cli.context import print_json, program
from newsletter.cli.runtime import open_runtime
from newsletter.digest.schedule import outlook
from newsletter.digest.schedule.approval import open_approvals
from newsletter.digest.schedule.approval_dates import forget_approvals
from newsletter.digest.schedule.clock import answer_late
from newsletter.digest.schedule.first_start import steps_before_start
from newsletter.identity import Identity
from newsletter.newsletters import schedule as schedules
from newsletter.newsletters.queries import choose_newsletter
from newsletter.runtime import Runtime

ACTOR = "command line"
SHOWN_DATES = 10

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


@click.group()
def schedule() -> None:
    """The schedule of a newsletter: when issues go out by themselves."""


@schedule.command()
@newsletter_option
@json_option
def show(newsletter_slug: str | None, as_json: bool) -> None:
    """Show the rules of a schedule, and whether it is on."""
    parts = open_runtime()
    identity = _identity(parts, newsletter_slug)
    with parts.reading() as session:
        row = schedules.read_schedule(session, identity)
        words, values, on = schedules.in_words(row), schedules.as_text(row), row.is_on
        opens_at = outlook.gathering_opens_at(session, identity.newsletter_id)
        asked = outlook.count_asked(session, identity.newsletter_id)
        waiting = [str(each.slot) for each in open_approvals(session, identity.newsletter_id)]
    if as_json:
        shown = {"newsletter": identity.slug, "on": on, **values, "asked": asked, "to_approve": waiting}
        print_json(shown)
        return
    click.echo(f"{identity.slug}  {'on' if on else 'off'}, times in {values['time_zone']}")
    for name, said in words.items():
        click.echo(f"  {name + ':':<16}{said}")
    for name in ("late_daily", "late_weekly", "late_monthly"):
        click.echo(f"  {name.replace('_', ' ') + ':':<16}after {values[name].replace(' ', ' hours: ')}")
    if opens_at is not None:
        click.echo(f"  An issue as it happens opens at {_at(opens_at, values['time_zone'])}.")
    if asked:
        click.echo("  A late issue waits for an answer: newsletter schedule late send|skip")
    if waiting:
        click.echo(f"  To approve: {', '.join(waiting)}. Run: {program()} digest approve")
    if not on:
        click.echo(f"  To send by this schedule: {program()} schedule start")


def _field_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, (label, hint) in reversed(list(schedules.FIELDS.items())):
        help_line = f"{label}. {hint}"
        command = click.option(f"--{name.replace('_', '-')}", name, metavar="TEXT", help=help_line)(command)
    return command


@schedule.command("set")
@newsletter_option
@_field_options
@json_option
def set_(newsletter_slug: str | None, as_json: bool, **given: str | None) -> None:
    """Change a schedule. What you leave out stays.

    If an hour changes, a date whose new instant has passed keeps its old instant.
    """
    parts = open_runtime()
    identity = _identity(parts, newsletter_slug)
    changes = {name: text for name, text in given.items() if text is not None}
    with parts.session() as session:
        changed = schedules.set_schedule(session, identity, changes, actor=ACTOR, now=parts.now())
        words = schedules.in_words(schedules.read_schedule(session, identity))
        session.commit()
    if as_json:
        print_json({"newsletter": identity.slug, "changed": changed, **words})
        return
    click.echo(f"Changed: {', '.join(changed)}." if changed else "Nothing has changed.")
    for name, said in words.items():
        click.echo(f"  {name + ':':<16}{said}")


@schedule.command("try")
@newsletter_option
@json_option
def try_(newsletter_slug: str | None, as_json: bool) -> None:
    """Print the next ten dates, and how many subscribers would get each now. Sends nothing."""
    parts = open_runtime()
    identity = _identity(parts, newsletter_slug)
    with parts.reading() as session:
        row = schedules.read_schedule(session, identity)
        zone = row.time_zone
        dates = outlook.coming_dates(session, row, parts.now(), SHOWN_DATES, counted=True)
    for each in dates:
        if as_json:
            print_json(
                {
                    "date": str(each.day),
                    "frequencies": [str(frequency) for frequency in each.frequencies],
                    "first_at": each.first_at.isoformat(),
                    "last_at": each.last_at.isoformat(),
                    "waves": each.waves,
                    "readers": each.subscribers,
                }
            )
            continue
        words = ", ".join(frequency.words for frequency in each.frequencies)
        click.echo(f"{each.day:%a %Y-%m-%d}  {_at(each.first_at, zone)}  {words}  {each.subscribers} now")


@schedule.command()
@newsletter_option
def start(newsletter_slug: str | None) -> None:
    """Turn a schedule on. Issues then go out by themselves, from the next date on."""
    parts = open_runtime()
    identity = _identity(parts, newsletter_slug)
    with parts.session() as session:
        schedules.start_schedule(session, identity, actor=ACTOR, now=parts.now())
        session.commit()
    with parts.reading() as session:
        steps = steps_before_start(session, parts.sender(identity.newsletter_id))
    for step in steps:
        if not step.is_done:
            click.echo(f"Not done yet: {step.sentence}", err=True)
    click.echo(f"{identity.slug}  on. The next dates: {program()} schedule try")


@schedule.command()
@newsletter_option
def stop(newsletter_slug: str | None) -> None:
    """Turn a schedule off. What was opened is still sent."""
    parts = open_runtime()
    identity = _identity(parts, newsletter_slug)
    with parts.session() as session:
        now = parts.now()
        schedules.stop_schedule(session, identity, actor=ACTOR, now=now)
        forget_approvals(session, identity.newsletter_id, now)
        session.commit()
    click.echo(f"{identity.slug}  off")


@schedule.command()
@click.argument("answer", type=click.Choice(["send", "skip"]))
@newsletter_option
def late(answer: str, newsletter_slug: str | None) -> None:
    """Send or skip a late issue that waits for an answer."""
    parts = open_runtime()
    identity = _identity(parts, newsletter_slug)
    with parts.session() as session:
        answer_late(session, identity.newsletter_id, send=answer == "send", actor=ACTOR, now=parts.now())
        session.commit()
    parts.wake("bulk")
    click.echo("It is being sent." if answer == "send" else "Skipped. Its releases come with the next issue.")


def _identity(parts: Runtime, slug: str | None) -> Identity:
    with parts.reading() as session:
        newsletter_id = choose_newsletter(session, slug).id
    return parts.identities.recent(parts.reading, newsletter_id)


def _at(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(zone_of(zone)):%Y-%m-%d %H:%M} ({zone})"
