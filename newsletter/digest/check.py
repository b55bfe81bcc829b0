"""Check an issue before it is sent, and list what to fix, the most serious fault first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html.parser import HTMLParser
from statistics import median
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.digest.preview import Preview, Rendered, render_in
from newsletter.messages.digests.edition import HTML_BUDGET_BYTES
from newsletter.messages.digests.render import DigestRenderer
from newsletter.messages.sender import Sender
from newsletter.models import Delivery, Frequency, Issue, IssueState
from newsletter.outbox.pacing.setup.relay_checks import failures_of, last_checks

# The audience of an issue is compared with this many issues before it.
COMPARED_ISSUES = 5
FEWEST_COMPARED = 2
# An audience is unusual if it is this many times larger or smaller, and differs by at least this many people.
UNUSUAL_FACTOR = 1.5
UNUSUAL_PEOPLE = 20
# A release with fewer characters counts as one without a text.
SHORTEST_TEXT = 20


@dataclass(frozen=True)
class DeadLink:
    """A link that does not work, and the reason."""

    url: str
    reason: str


@dataclass(frozen=True)
class Facts:
    """The values that `find_faults` checks.

    `relay_failures` is None if the relay was not checked with its present settings. `dead_links` is None if
    links were not checked. `earlier` has the numbers of people who got the last issues of the same kind.
    """

    samples: Sequence[Rendered]
    postal_address: str
    is_signed: bool
    relay_failures: Sequence[str] | None
    audience: int
    earlier: Sequence[int] = ()
    dead_links: Sequence[DeadLink] | None = None


@dataclass(frozen=True)
class Fault:
    """What to fix. `name` is for programs; `tone` is "bad" or "warn"."""

    name: str
    tone: str
    words: str


def gather_facts(
    session: Session,
    renderer: DigestRenderer,
    sender: Sender,
    shown: Preview,
    frequencies: Sequence[Frequency],
    now: datetime,
) -> Facts:
    """Return the values that `find_faults` checks, without the links."""
    newsletter_id = sender.newsletter_id
    checks = last_checks(session, [sender])
    return Facts(
        samples=[
            render_in(session, renderer, newsletter_id, shown.selection, language, now, order=shown.order)
            for language in renderer.of_newsletter(session, newsletter_id).languages
        ],
        postal_address=sender.identity.postal_address,
        is_signed=bool(sender.keys),
        relay_failures=failures_of(checks[0][1]) if checks else None,
        audience=shown.reach.would_reach_now,
        earlier=earlier_audiences(session, newsletter_id, frequencies),
    )


def find_faults(facts: Facts) -> list[Fault]:
    """Return what to fix before the issue is sent, the most serious fault first. Pure."""
    found = [
        *_relay_faults(facts),
        *_sender_faults(facts),
        *_audience_faults(facts),
        *(fault for sample in facts.samples for fault in _sample_faults(sample)),
        *(
            Fault("dead_link", "bad", f"A link does not work: {each.url} ({each.reason}).")
            for each in facts.dead_links or ()
        ),
    ]
    return sorted(found, key=lambda each: each.tone != "bad")


def links_of(samples: Sequence[Rendered], own_url: str) -> list[str]:
    """Return the web links in the samples, each once, without those to our own pages. Pure."""
    ours = urlsplit(own_url).netloc
    found = [
        link
        for sample in samples
        for link in _parse(sample.html).links
        if link.startswith(("http://", "https://"))
    ]
    return [each for each in dict.fromkeys(found) if urlsplit(each).netloc != ours]


def earlier_audiences(session: Session, newsletter_id: int, frequencies: Sequence[Frequency]) -> list[int]:
    """Return how many people the last finished issues of a newsletter with these frequencies were for."""
    wanted = {each.value for each in frequencies}
    recent = session.execute(
        select(Issue.id, Issue.frequencies)
        .where(
            Issue.newsletter_id == newsletter_id,
            Issue.is_test.is_(False),
            Issue.state == IssueState.FINISHED,
        )
        .order_by(Issue.id.desc())
        .limit(100)
    )
    alike = [issue_id for issue_id, served in recent if set(served) == wanted][:COMPARED_ISSUES]
    counted = select(func.count()).where(Delivery.issue_id.in_(alike)).group_by(Delivery.issue_id)
    return list(session.scalars(counted))


class _Collector(HTMLParser):
    """Collects the links of an HTML text, and the pictures that have no `alt`."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.bare_pictures: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")
        # A decorative picture has an empty `alt`, which is correct.
        if tag == "img" and "alt" not in given:
            self.bare_pictures.append(given.get("src") or "")


def _parse(html: str) -> _Collector:
    found = _Collector()
    found.feed(html)
    return found


def _relay_faults(facts: Facts) -> list[Fault]:
    if facts.relay_failures is None:
        words = "The relay was not checked with its present settings. Run: newsletter relay check"
        return [Fault("relay_unchecked", "warn", words)]
    return [
        Fault("relay_failed", "bad", f"The relay check failed. {each} To repeat it: newsletter relay check")
        for each in facts.relay_failures
    ]


def _sender_faults(facts: Facts) -> list[Fault]:
    found = []
    if not facts.postal_address.strip():
        words = "The postal address is missing. Many countries require one. Add it to the newsletter."
        found.append(Fault("no_postal_address", "bad", words))
    if not facts.is_signed:
        words = "Emails are not signed, so mailbox providers may refuse them. Run: newsletter dkim new"
        found.append(Fault("no_dkim", "bad", words))
    return found


def _audience_faults(facts: Facts) -> list[Fault]:
    if len(facts.earlier) < FEWEST_COMPARED:
        return []
    usual = median(facts.earlier)
    larger = facts.audience > usual * UNUSUAL_FACTOR
    smaller = facts.audience < usual / UNUSUAL_FACTOR
    if abs(facts.audience - usual) < UNUSUAL_PEOPLE or not (larger or smaller):
        return []
    words = (
        f"This issue would go to {facts.audience:,} subscribers. The last issues of this kind went to about "
        f"{usual:,.0f}. Make sure that you chose the right frequencies."
    )
    return [Fault("unusual_audience", "warn", words)]


def _sample_faults(sample: Rendered) -> list[Fault]:
    found = []
    for source in dict.fromkeys(_parse(sample.html).bare_pictures):
        words = f"A picture has no text for people who do not see it ({sample.language}): {source[:100]}"
        found.append(Fault("no_alt_text", "bad", words))
    if sample.template_fault:
        words = (
            f"Your templates fail ({sample.language}), so emails have the usual ones: {sample.template_fault}"
        )
        found.append(Fault("template_failed", "warn", words))
    if sample.is_cut or sample.html_bytes > HTML_BUDGET_BYTES:
        words = (
            f"The issue is too large for Gmail, which shows {HTML_BUDGET_BYTES:,} bytes ({sample.language}). "
            "Some releases stand behind a link. Send more often, or exclude releases."
        )
        found.append(Fault("over_budget", "warn", words))
    if len(sample.text.strip()) < SHORTEST_TEXT:
        found.append(Fault("no_plain_text", "bad", f"The email has no plain text ({sample.language})."))
    return found
