"""Short methods for tests of manual orders."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Mapping, Sequence
from email.message import EmailMessage

from house import House, public_id

from newsletter.digest.order.change import GivenSection, change_order
from newsletter.models import FIRST_NEWSLETTER, IssueOrder


def set_order(
    house: House,
    target: str,
    sections: Mapping[str, Sequence[int]] | Sequence[GivenSection],
    version: int = 0,
    *,
    actor: str = "ann",
    newsletter: int = FIRST_NEWSLETTER,
) -> int:
    """Order an issue as an editor does; return the version. A mapping has ids of releases by title."""
    if isinstance(sections, Mapping):
        sections = [
            GivenSection(title, [public_id(house, each) for each in ids]) for title, ids in sections.items()
        ]
    with house.runtime.session() as session:
        stored = change_order(
            session, newsletter, target, sections, version,
            languages=["en", "de"], actor=actor, now=house.clock(),
        )  # fmt: skip
        session.commit()
        return stored


def targets(house: House) -> dict[str, int]:
    """Return the version of each stored order, by its target."""
    return {each.target: each.version for each in house.all(IssueOrder)}


def last_mails(house: House, after: int = 0) -> dict[str, EmailMessage]:
    """Return the emails that were sent, by the name of the recipient."""
    found = {}
    for sent in house.transport.sent[after:]:
        mail = email.message_from_bytes(sent.content, policy=email.policy.default)
        found[sent.envelope.recipient.partition("@")[0]] = mail
    return found  # type: ignore[return-value]


def part(mail: EmailMessage, subtype: str) -> str:
    body = mail.get_body((subtype,))
    assert body is not None
    return str(body.get_content())


def headings_and_titles(mail: EmailMessage) -> list[str]:
    """Return what stands in an email, from the top: its headings and the titles of its releases."""
    page = part(mail, "html")
    found = re.findall(r"<h([23])[^>]*>(.*?)</h\1>", page, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", text).strip() for _, text in found]
