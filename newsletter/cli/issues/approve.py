"""`newsletter digest approve`: look at the issue of a date, and approve it."""

from __future__ import annotations

from datetime import date
from typing import TextIO

import click

from newsletter.cli.arguments import IdCommand, newsletter_option
from newsletter.cli.context import print_json
from newsletter.cli.issues.editors_note import note_options, read_note_file
from newsletter.cli.runtime import open_runtime
from newsletter.digest.by_hand import approve_held
from newsletter.digest.preview import Preview, nothing_to_show, preview
from newsletter.digest.schedule import approval
from newsletter.errors import InputError, StateConflict
from newsletter.newsletters.queries import choose_newsletter
from newsletter.outbox.control import find_issue
from newsletter.runtime import Runtime

ACTOR = "command line"


@click.command(cls=IdCommand)
@click.argument("public_id", metavar="[ID]", required=False)
@newsletter_option
@click.option("--date", "slot_text", metavar="DATE", help="Such as 2026-03-10. The next one that waits.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--withdraw", is_flag=True, help="Withdraw the approval of --date, as long as nothing was sent."
)
@note_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def approve(
    public_id: str | None,
    newsletter_slug: str | None,
    slot_text: str | None,
    yes: bool,
    withdraw: bool,
    note_file: TextIO | None,
    note_language: str | None,
    as_json: bool,
) -> None:
    """Approve the issue of a date, with the releases that it has now.

    Prints the subject and the releases, and asks. A release that becomes ready later comes with the next
    issue. With ID, approve an issue that another account sends.
    """
    parts = open_runtime()
    if public_id is not None:
        _approve_held(parts, public_id, as_json=as_json)
        return
    with parts.reading() as session:
        newsletter_id = choose_newsletter(session, newsletter_slug).id
    if withdraw:
        _withdraw(parts, newsletter_id, slot_text, as_json=as_json)
        return
    slot = _choose_date(parts, newsletter_id, slot_text)
    note = read_note_file(parts, newsletter_id, note_file, note_language)
    shown_at = parts.now()
    found = _preview(parts, newsletter_id, slot)
    if not as_json:
        if found.is_sample:
            click.echo("These are older releases, because nothing is new for most subscribers.")
        click.echo(f"{slot}  {found.subject}")
        for each in found.releases:
            click.echo(f"  {each.public_id}  {each.title}")
        click.echo(f"  {found.reach.in_words().capitalize()}")
    if not yes and not click.confirm("Approve it?"):
        raise click.ClickException("Nothing was approved.")
    with parts.session() as session:
        approval.approve(
            session,
            newsletter_id,
            slot,
            found.to_sequence,
            shown_at,
            actor=ACTOR,
            now=parts.now(),
            order_version=found.order_version,
            **note,
        )
        session.commit()
    parts.wake("bulk")
    if as_json:
        releases = [each.public_id for each in found.releases]
        print_json({"date": str(slot), "subject": found.subject, "releases": releases})
    else:
        click.echo("Approved.")


def _withdraw(parts: Runtime, newsletter_id: int, slot_text: str | None, *, as_json: bool) -> None:
    if slot_text is None:
        raise InputError("Name the date whose approval you withdraw, for example: --date 2026-03-10")
    slot = _choose_date(parts, newsletter_id, slot_text)
    with parts.session() as session:
        approval.withdraw(session, newsletter_id, slot, actor=ACTOR, now=parts.now())
        session.commit()
    if as_json:
        print_json({"date": str(slot), "approved": False})
    else:
        click.echo(f"The approval for {slot} is withdrawn. The issue waits for another one.")


def _approve_held(parts: Runtime, public_id: str, *, as_json: bool) -> None:
    """Approve an issue that waits for a second person."""
    with parts.session() as session:
        issue = find_issue(session, public_id)
        approve_held(session, issue, ACTOR, parts.now())
        state = issue.state
        session.commit()
    parts.wake("bulk")
    if as_json:
        print_json({"id": public_id, "state": state})
    else:
        click.echo(f"{public_id}  approved, {state}")


def _choose_date(parts: Runtime, newsletter_id: int, text: str | None) -> date:
    """Return the date that is named, or the first one that waits for an approval."""
    if text is not None:
        try:
            return date.fromisoformat(text)
        except ValueError as fault:
            raise InputError(f"{text} is no date. Write, for example: 2026-03-10") from fault
    with parts.reading() as session:
        waiting = approval.open_approvals(session, newsletter_id)
    if not waiting:
        raise StateConflict("No issue waits for an approval.")
    return waiting[0].slot


def _preview(parts: Runtime, newsletter_id: int, slot: date) -> Preview:
    with parts.reading() as session:
        found = preview(
            session,
            parts.renderer,
            frequencies=approval.frequencies_on(session, newsletter_id, slot),
            now=parts.now(),
            newsletter_id=newsletter_id,
            slot=slot,
            for_anybody=True,
        )
    if found is None:
        raise StateConflict(nothing_to_show())
    if not found.reach.would_reach_now:
        raise StateConflict("No release waits for the subscribers of this date, so nothing is approved.")
    return found
