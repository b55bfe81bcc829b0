"""Print a stored release, as lines or as JSON."""

from __future__ import annotations

import click

from newsletter.cli.context import print_json
from newsletter.models import HoldReason, Release, ReleaseHold
from newsletter.releases.holds import say_doubts

# Who acts, in the audit log.
ACTOR = "command line"


def print_release(stored: Release, as_json: bool, *, known: bool = False) -> None:
    """Print a release with its state, its topics and what holds it. `known`: it was stored before."""
    topics = [link.topic.slug for link in stored.topic_links]
    if as_json:
        print_json(
            {
                "id": stored.public_id,
                "title": stored.title,
                "publisher": stored.publisher,
                "published": stored.published_on.isoformat(),
                "state": stored.state,
                "holds": [{"reason": each.reason, "fields": each.fields} for each in stored.holds],
                "pinned": stored.pinned,
                "deleted": stored.deleted_at is not None,
                "embargo_until": stored.embargo_until and stored.embargo_until.isoformat(),
                "revision": stored.revision,
                "topics": topics,
                "image": stored.image_hash,
                "image_alt": stored.image_alt,
                "urgent": stored.urgent,
                "kept_back": stored.is_kept_back,
                "known": known,
            }
        )
        return
    marks = ["deleted" if stored.deleted_at else stored.state, *(["pinned"] if stored.pinned else [])]
    if stored.urgent:
        marks.append("urgent")
    if stored.is_kept_back:
        marks.append("kept back: it was old when its source was added")
    where = ", ".join(topics) or "no topic: nobody gets it until a topic's rules or --topic name it"
    note = " (known already)" if known else ""
    click.echo(f"{stored.public_id}  {stored.published_on:%Y-%m-%d}  {stored.title}{note}")
    click.echo(f"              {', '.join(marks)}; {where}")
    if stored.image_hash and not stored.image_alt:
        click.echo(
            "              its image is not shown until you describe it: "
            f"newsletter release edit {stored.public_id} --image-alt TEXT"
        )
    for each in stored.holds:
        if each.reason is not HoldReason.EDITOR or each.set_by != ACTOR:
            click.echo(f"              {_why(stored, each)}")


def _why(stored: Release, hold: ReleaseHold) -> str:
    if hold.reason is HoldReason.EMBARGO and hold.until:
        end = "end it now by: newsletter release free"
        return f"under embargo until {hold.until:%Y-%m-%d %H:%M} UTC; {end} {stored.public_id}"
    if hold.reason is HoldReason.DATE:
        return f"held until {stored.published_on:%Y-%m-%d}, the date of the release"
    if hold.reason is HoldReason.SETTLING and hold.until is not None:
        return f"settling: held until its source shows it unchanged, at most until {hold.until:%H:%M} UTC"
    known = {
        HoldReason.APPROVAL: f"waits for approval: newsletter release approve {stored.public_id}",
        HoldReason.GONE: "held: its source removed it while it settled",
        HoldReason.EDITOR: f"held: {hold.set_by}",
    }
    if hold.reason in known:
        return known[hold.reason]
    remedy = f"correct it on the release's admin page, or: newsletter release ready {stored.public_id}"
    return f"held: {say_doubts(hold.fields.split(','))}; {remedy}"
