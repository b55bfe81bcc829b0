"""`newsletter subscriber`: list, show, erase and suppress subscribers, and show their consent."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
from sqlalchemy.orm import Session

from newsletter import suppression
from newsletter.address_rules.rules import stopping_patterns
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.errors import NotFound, ReasonNeeded
from newsletter.mail.addresses import parse_address
from newsletter.models import Frequency, Subscriber, SuppressionReason
from newsletter.models.tables.subscriber import why_no_address
from newsletter.outbox.control import find_issue
from newsletter.runtime import Runtime
from newsletter.subscribers.consent.descriptions import act_in_words, detail_in_words, how_in_words
from newsletter.subscribers.consent.record import Publisher, consent_record, names_of
from newsletter.subscribers.consent.signature import sign_record
from newsletter.subscribers.privacy.export import personal_data
from newsletter.subscribers.queries import find_by_key, find_by_public_id, list_subscribers
from newsletter.subscribers.signup.confirmation_limits import ConfirmationLimits
from newsletter.subscribers.signup.hold import drop_held, held_signups, release_held
from newsletter.suppression import Wanted, add_by_hand, check_why, find, lift, lift_many
from newsletter.web.erase_everywhere import erase_everywhere

ACTOR = "command line"

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def subscriber() -> None:
    """Subscribers: list, show, erase, suppress."""


@subscriber.command("list")
@click.option("--search", default="", help="Part of an address.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def list_(search: str, as_json: bool) -> None:
    """List subscribers, the newest first."""
    with open_runtime().reading() as session:
        number, pages = 1, 1
        while number <= pages:
            page = list_subscribers(session, search=search, state="", page=number)
            for each in page.items:
                if as_json:
                    print_json({"id": each.public_id, "email": each.email, "state": each.state})
                else:
                    click.echo(f"{each.public_id}  {each.email or f'({each.label})'}  {each.state}")
            number, pages = number + 1, page.pages


@subscriber.command()
@click.argument("address")
@as_json_option
def show(address: str, as_json: bool) -> None:
    """Show all data about ADDRESS (or a subscriber's id), and whether it is suppressed."""
    parts = open_runtime()
    with parts.reading() as session:
        person = _find(session, address)
        if person is None:
            # An erased person is known only by a hash of the address.
            found = suppression.find(session, parts.tokens, _key(address))
            blocked = {"reason": found.reason.value, "since": found.since.isoformat()} if found else None
            stopped_by = stopping_patterns(session, _key(address))
            if as_json:
                print_json({"profile": None, "not_mailed": blocked, "stopped_by": stopped_by})
            else:
                click.echo(f"{address}: no subscriber")
                click.echo("\n".join(_why_not_emailed(blocked, stopped_by) or ["may be emailed"]))
            return
        data = personal_data(session, parts.tokens, person, _publisher(parts), parts.now())
        stopped_by = stopping_patterns(session, person.email_key or "")
    if as_json:
        print_json({**data, "stopped_by": stopped_by})
        return
    profile = data["profile"]
    click.echo(f"{profile['id']}  {_address_of(profile)}")
    for name in (
        "language", "time_zone", "first_seen_at", "confirmed_at", "snoozed_until", "erased_at", "emptied_at",
    ):  # fmt: skip
        if profile[name]:
            click.echo(f"  {name.replace('_', ' ')}: {profile[name]}")
    if profile["release_languages"]:
        click.echo(f"  languages of releases: {', '.join(profile['release_languages'])}")
    if profile["address"]:
        for line in _why_not_emailed(data["not_mailed"], stopped_by) or ["may be emailed"]:
            click.echo(f"  {line}")
    else:
        click.echo("  not emailed: there is no address")
    for row in data["subscriptions"]:
        reason = f", {row['ended_reason']} {row['ended_at']}" if row["ended_at"] else ""
        often = Frequency(row["frequency"]).words
        click.echo(f"  {row['topic']}: {often}, {row['state']}{reason}")
    emails = "1 email" if len(data["mails"]) == 1 else f"{len(data['mails'])} emails"
    click.echo(f"  {len(data['consent'])} entries of consent, {emails}")


@subscriber.command()
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="Print the record as signed JSON.")
def consent(address: str, as_json: bool) -> None:
    """Show what ADDRESS (or a subscriber's id) agreed to, when and how.

    `newsletter consent verify` checks the signed record.
    """
    parts = open_runtime()
    with parts.reading() as session:
        person = _find_or_fail(session, address)
        record = consent_record(session, person.public_id, _publisher(parts), parts.now())
    if as_json:
        signed = sign_record(parts.tokens, record, parts.links.consent_key())
        click.echo(json.dumps(signed, ensure_ascii=False, indent=2))
    else:
        print_record(record)


def _address_of(person: dict[str, Any]) -> str:
    """Return the address in a record, or why it has none. Records of version 1 have no `emptied_at`."""
    why = why_no_address(erased=bool(person["erased_at"]), emptied=bool(person.get("emptied_at")))
    return str(person["address"] or f"({why})")


def print_record(record: dict[str, Any]) -> None:
    """Print a record of consent for people."""
    person = record["person"]
    click.echo(f"Record of consent: {_address_of(person)}, {record['newsletter']['name']}")
    for entry in record["entries"]:
        at = entry["at"][:19].replace("T", " ")
        click.echo(f"{at} UTC  {act_in_words(entry['act'])} {how_in_words(entry['how'])}")
        for line in (
            detail_in_words(entry["detail"]),
            entry["ip_address"] and f"from {entry['ip_address']}",
            entry["wording"] and f"wording {entry['wording']}",
        ):
            if line:
                click.echo(f"    {line}")
    for wording in record["wordings"]:
        click.echo(f"Wording {wording['version']} (SHA-256 {wording['sha256']}):")
        click.echo(f"    {wording['text'] or 'not part of this program any more'}")
    if record["entries_whole"] is False:
        click.echo("The entries are not as they were written: somebody changed the database manually.")


@subscriber.command()
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(address: str, yes: bool) -> None:
    """Erase the subscriber ADDRESS everywhere, and suppress the address by a keyed hash.

    The consent ledger stays, without the address. This cannot be undone.
    """
    parts = open_runtime()
    with parts.session() as session:
        person = _find_or_fail(session, address)
        named = person.email or address
        session.rollback()  # no lock is held while a person decides
        if not yes:
            click.confirm(f"Erase {named} for good?", abort=True)
        done = erase_everywhere(parts, session, person.public_id, "command line", ACTOR)
    click.echo(f"{done.public_id} is erased; {done.skipped} waiting emails are not sent.")


@subscriber.command()
@click.argument("address")
def suppress(address: str) -> None:
    """Stop all email to ADDRESS, even if it is not a subscriber's."""
    parts = open_runtime()
    key = _key(address)
    with parts.session() as session:
        new = add_by_hand(session, parts.tokens, key, ACTOR, parts.now())
        session.commit()
    click.echo(f"{address} gets no more email." if new else f"{address} was suppressed already.")


@subscriber.command()
@click.argument("address", required=False)
@click.option("--issue", "issue_id", metavar="ID", help="Everybody who bounced in this issue.")
@click.option("--since", type=click.DateTime(), help="Suppressed at or after this time, UTC.")
@click.option("--until", type=click.DateTime(), help="Suppressed before this time, UTC.")
@click.option(
    "--reason",
    type=click.Choice([SuppressionReason.HARD_BOUNCE.value, SuppressionReason.SOFT_BOUNCE.value]),
    help="Why they are suppressed. Without it, both.",
)
@click.option(
    "--why",
    default="",
    help="For one address: why it is lifted, for the audit log. Needed after a complaint or erasure.",
)
@click.option("--dry-run", is_flag=True, help="Say how many it would be, and change nothing.")
@as_json_option
def unsuppress(
    address: str | None,
    issue_id: str | None,
    since: datetime | None,
    until: datetime | None,
    reason: str | None,
    why: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Allow email to ADDRESS again, or to all that the options select. Ended subscriptions stay ended.

    The options lift hard and soft bounces only. People who complained, were erased or were suppressed
    manually stay suppressed: lift those one by one, and say why if they complained or were erased. People
    whose address is lifted still get the newest releases of each topic that came meanwhile.
    """
    in_bulk = bool(issue_id or since or until or reason)
    if in_bulk == (address is not None):
        raise click.UsageError("Name one address, or choose by --issue, --since, --until or --reason.")
    if address is None:
        count = _unsuppress_many(issue_id, since, until, reason, dry_run=dry_run)
        if as_json:
            print_json({"lifted": 0 if dry_run else count, "found": count})
        else:
            click.echo(f"{count} addresses {'would be' if dry_run else 'may be'} emailed again.")
        return
    lifted, stopped_by = _unsuppress_one(address, why, dry_run=dry_run)
    if as_json:
        print_json({"lifted": int(lifted and not dry_run), "found": int(lifted)})
        return
    if not lifted:
        click.echo(f"{address} was not suppressed.")
    elif stopped_by:
        click.echo(f"{address} {'would no longer be' if dry_run else 'is no longer'} suppressed.")
    else:
        click.echo(f"{address} {'would be emailed' if dry_run else 'may be emailed'} again.")
    for line in _why_not_emailed(None, stopped_by):
        click.echo(line)


def _unsuppress_one(address: str, why: str, *, dry_run: bool) -> tuple[bool, Sequence[str]]:
    """Lift the suppression of an address; return whether it had one, and the rules that stop it still."""
    parts = open_runtime()
    key = _key(address)
    with parts.session() as session:
        found = find(session, parts.tokens, key)
        stopped_by = stopping_patterns(session, key)
        try:
            if dry_run and found is not None:
                check_why(found, why)
            elif not dry_run:
                newest = parts.settings.snooze_catch_up
                lift(session, parts.tokens, key, ACTOR, parts.now(), newest, why)
        except ReasonNeeded as fault:
            raise ReasonNeeded(
                f"{fault} Nothing has changed. If the person asks for it: "
                f'newsletter subscriber unsuppress {shlex.quote(address)} --why "asked by phone"'
            ) from fault
        session.commit()
    return found is not None, stopped_by


def _unsuppress_many(
    public_id: str | None,
    since: datetime | None,
    until: datetime | None,
    reason: str | None,
    *,
    dry_run: bool,
) -> int:

    parts = open_runtime()
    newest = parts.settings.snooze_catch_up
    with parts.session() as session:
        issue = find_issue(session, public_id, lock=False).id if public_id else None
        period = (since and since.replace(tzinfo=UTC), until and until.replace(tzinfo=UTC))
        wanted = Wanted(issue, *period, SuppressionReason(reason) if reason else None)
        count = lift_many(session, parts.tokens, wanted, ACTOR, parts.now(), newest, dry_run=dry_run)
        if not dry_run:
            session.commit()
    return count


def _key(address: str) -> str:

    return parse_address(address).canonical


def _find(session: Session, address: str) -> Subscriber | None:
    """Return a subscriber by address, or by the id that `list` prints."""
    if "@" in address:
        return find_by_key(session, _key(address))
    return find_by_public_id(session, address)


def _find_or_fail(session: Session, address: str) -> Subscriber:

    found = _find(session, address)
    if found is None:
        raise NotFound(
            f"{address} is not a subscriber; `newsletter subscriber suppress` stops email to any address"
        )
    return found


def _publisher(parts: Runtime) -> Any:

    newsletter = parts.identities.recent(parts.reading)
    names = names_of(parts.identities.recent_ones(parts.reading))
    return Publisher(newsletter.name, parts.settings.public_url, newsletter.postal_address, names)


def _why_not_emailed(blocked: dict[str, Any] | None, stopped_by: Sequence[str]) -> list[str]:
    """Return why an address gets no email: its suppression, and the rules that stop it."""
    found = [f"not emailed: {blocked['reason']}, since {blocked['since']}"] if blocked else []
    return found + [
        f"not emailed, because a rule stops it. To remove it: newsletter domain remove {shlex.quote(pattern)}"
        for pattern in stopped_by
    ]


@subscriber.command()
@click.option("--release", is_flag=True, help="Release all waiting sign-ups, despite the limit.")
@click.option("--drop", is_flag=True, help="Drop all waiting sign-ups, with their addresses.")
@as_json_option
def held(release: bool, drop: bool, as_json: bool) -> None:
    """Show how many sign-ups wait because many came at once; release or drop them."""
    if release and drop:
        raise click.UsageError("Choose one of --release and --drop.")
    parts = open_runtime()
    if release or drop:
        with parts.session() as session:
            count = (release_held if release else drop_held)(session, ACTOR, parts.now())
            session.commit()
        parts.wake("signups")
        if as_json:
            print_json({"released" if release else "dropped": count})
        else:
            click.echo(f"{count} {'are let go' if release else 'dropped'}.")
        return
    with parts.reading() as session:
        state = held_signups(session, ConfirmationLimits.of(parts.settings), parts.now())
    if as_json:
        since = state.since.isoformat() if state.since else None
        print_json({"held": state.held, "since": since, "free": state.free})
    else:
        waiting = f"{state.held} sign-ups wait" + (
            f" since {state.since:%Y-%m-%d %H:%M} UTC" if state.since else ""
        )
        click.echo(f"{waiting}; {state.free} emails to new addresses may be sent now.")
