"""The list of retention steps: which rows each finds, and what it does with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select

from newsletter.settings import variable
from newsletter.subscribers.privacy.retention import addresses, emails, events
from newsletter.subscribers.privacy.retention.policy import Policy
from newsletter.tokens import Tokens

Act = Callable[[Any, Tokens, Policy, Sequence[Any]], int]


@dataclass(frozen=True)
class Step:
    """One kind of data that is deleted after some time.

    `due` returns the query for the ids that are due, or None if the data is kept forever. `act` handles
    `chunk` ids in one transaction and returns how many rows it deleted or emptied. If these rows are not the
    ids of `due`, `counted` returns the query for them.
    """

    name: str
    what: str
    setting: str
    due: Callable[[Policy], Select[Any] | None]
    act: Act
    chunk: int = 250
    counted: Callable[[Policy], Select[Any] | None] | None = None

    @property
    def variable(self) -> str:
        """The environment variable with the time, or "" if it cannot be set."""
        return variable(self.setting) if self.setting else ""


# Steps that empty addresses are first, because they make rows due for the later steps.
STEPS = (
    Step(
        "unconfirmed",
        "unconfirmed requests and their addresses",
        "pending_days",
        addresses.unconfirmed,
        addresses.expire,
        chunk=20,
    ),
    Step(
        "strangers",
        "addresses of people who never confirmed, with nothing pending",
        "pending_days",
        addresses.never_confirmed,
        addresses.forget,
        chunk=20,
    ),
    Step(
        "left",
        "addresses of people who unsubscribed",
        "keep_left_days",
        addresses.left,
        addresses.forget,
        chunk=20,
    ),
    Step("disowned", "marks of disowned addresses", "", events.old_marks, events.delete_marks),
    Step("mails", "contents of old emails", "keep_mail_days", emails.old_singles, emails.empty),
    Step(
        "replies",
        "relays' replies to old issues",
        "keep_mail_days",
        emails.issues_with_replies,
        emails.empty_replies,
        chunk=1,
        counted=emails.old_replies,
    ),
    Step(
        "issues",
        "old issues as web pages",
        "keep_issue_days",
        emails.old_issues,
        emails.empty_issues,
        chunk=5,
    ),
    Step(
        "idle-reports",
        "returned emails that changed nothing",
        "keep_mail_days",
        emails.idle_reports,
        emails.delete_reports,
    ),
    Step(
        "reports", "contents of returned emails", "keep_mail_days", emails.old_reports, emails.empty_reports
    ),
    Step("forms", "resolved forms", "keep_mail_days", events.old_requests, events.delete_requests),
    Step("moves", "settled changes of address", "keep_mail_days", events.old_moves, events.delete_moves),
    Step("ips", "IP addresses in the consent ledger", "keep_ip_days", events.old_ips, events.empty_ips),
)
