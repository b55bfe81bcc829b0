"""Notices to the owner. Each open notice is one row, is shown on the overview and is emailed once.

To add a kind of notice, add a member to NoticeKind with a title, a sentence and a remedy. The texts can use
`{subject}` and the details that `tell_owner` got. Never put a subscriber's address or a token into them,
because the row is kept longer than both. `outbox/owner/email.py` sends the emails, and
`service/announce.py` runs the owner's command and posts to their URL.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter.models import Notice, insert_new

log = logging.getLogger(__name__)


class NoticeKind(enum.Enum):
    """Every kind of notice: its key, a title, what happened, what to do, and whether it stops sending."""

    SIGNUPS_HELD = (
        "signups_held",
        "Many sign-ups at once",
        (
            "New addresses sign up faster than your settings allow. Sign-ups that wait: {held}. After "
            "{burst} confirmations to new addresses, {per_hour} more are sent each hour. A sign-up that has "
            "waited for {hold_hours} hours is dropped. Confirmed subscribers are not affected."
        ),
        (
            "You need not do anything. If you know where these people come from, release the sign-ups. "
            "Otherwise you can drop them: newsletter subscriber held"
        ),
    )
    RELAY_REFUSES = (
        "relay_refuses",
        "The relay refuses addresses that exist",
        (
            "The relay {subject} refused {refused} addresses because they do not exist. So many refusals are "
            "probably wrong, so its issues are paused. No address was suppressed."
        ),
        (
            "Ask the relay's operator. If the relay was wrong and is fixed, send these emails again. If "
            "these addresses really do not exist, suppress them. Both buttons are on the page “Refused "
            "addresses”. The commands are under: newsletter bounce held"
        ),
        True,
    )
    DOMAIN_REFUSES = (
        "domain_refuses",
        "A domain refuses addresses that exist",
        (
            "The domain {subject} refused {refused} addresses because they do not exist. So many refusals "
            "are probably wrong, so emails to this domain wait. No address was suppressed."
        ),
        (
            "Find out whether the domain still accepts email. Then decide on the page “Refused addresses” "
            "whether to suppress these addresses or to send again. The commands are under: newsletter "
            "bounce held"
        ),
        True,
    )
    ISSUE_REFUSED = (
        "issue_refused",
        "An issue reached nobody",
        (
            "The relay refused {refused} emails of the issue {title} and accepted none. Its last reply was: "
            "{said}. The issue is paused. No address was suppressed."
        ),
        (
            "Find out why they were refused. Then decide on the page “Refused addresses” whether to send "
            "these emails again, or whether the refusals are final. If they are final, the issue ends, and "
            "addresses that do not exist are suppressed. The commands are under: newsletter bounce held"
        ),
        True,
    )
    CONFIRMATIONS_REFUSED = (
        "confirmations_refused",
        "Confirmations are refused",
        (
            "The relay refused the last {refused} addresses that signed up because they do not exist. It "
            "accepted no confirmation in between. No address was suppressed, and no other email waits."
        ),
        (
            "If somebody invented these addresses, you need not do anything. If people tell you that they "
            "get no confirmation, ask the relay's operator."
        ),
    )

    MAIL_RETURNED = (
        "mail_returned",
        "Emails come back because of policy",
        (
            "Emails that mailbox providers returned because of their policy, your reputation or the "
            "contents: {returned}. The last one said: {said}. No address was suppressed."
        ),
        (
            "Check that SPF, DKIM and DMARC of your From domain pass, and whether your relay is on a "
            "blocklist. This notice closes after seven quiet days. To see what providers said: newsletter "
            "bounce reports"
        ),
    )
    COMPLAINTS_HIGH = (
        "complaints_high",
        "Many people marked an issue as spam",
        (
            "{complaints} of {accepted} people marked the issue “{title}” as spam. That is {percent} %. "
            "Their addresses get no more email. {what}"
        ),
        (
            "Find out whether these people asked for the newsletter, and whether it is easy to unsubscribe. "
            "Mailbox providers refuse senders with many complaints. To see the complaints: newsletter "
            "bounce reports --outcome complaint. {remedy}"
        ),
        True,
    )
    WEBHOOK_ENDED = (
        "webhook_ended",
        "Amazon SNS no longer reports returned emails",
        (
            "Amazon SNS says that the topic {subject} no longer posts to this service: the subscription was "
            "deleted. Bounces and complaints of this topic do not arrive."
        ),
        (
            "If you did not want that, subscribe the webhook to the topic again. This notice closes when the "
            "topic posts again. If you did, take the topic out of NEWSLETTER_WEBHOOK_SES_TOPICS."
        ),
        True,
    )
    PROBES_FAIL = (
        "probes_fail",
        "Many probe emails to one domain came back",
        (
            "Within a day, {failed} probe emails to {subject} came back, and these addresses get no more "
            "email. So many failures are probably a fault of its server, so no more of its addresses are "
            "suppressed on this day."
        ),
        (
            "If the server was at fault, allow email to these addresses again: newsletter subscriber "
            "unsuppress --reason soft_bounce --since {since}. This notice closes after seven quiet days."
        ),
    )
    BOUNCES_HIGH = (
        "bounces_high",
        "Many addresses of an issue do not exist",
        (
            "{bounces} of {accepted} emails of the issue “{title}” found no mailbox. That is {percent} %. "
            "Addresses that are believed to be gone get no more email."
        ),
        (
            "Find out where these addresses come from, for example an old import. Mailbox providers distrust "
            "senders with many wrong addresses. To see the reports: newsletter bounce reports --outcome hard"
        ),
    )
    MAILBOX_FAILS = (
        "mailbox_fails",
        "A mailbox cannot be read",
        (
            "The mailbox {subject} cannot be read. {what} Reports about returned emails and requests to "
            "unsubscribe by email wait in it."
        ),
        "{remedy} To try it: newsletter bounce fetch. This notice closes when the mailbox can be read.",
    )
    SENDER_REFUSED = (
        "sender_refused",
        "The relay refuses a sender address",
        (
            "The relay {relay} refuses {address}, the sender of “{newsletter}”. It said: {said}. No email is "
            "lost. Confirmations and issues of this newsletter wait, and one email is tried from time to "
            "time."
        ),
        "{mend} To check it: newsletter relay check",
        True,
    )
    HELLO_REFUSED = (
        "hello_refused",
        "The relay refuses our name",
        (
            "The relay {subject} refuses the name that we give in EHLO. It said: {said}. No email is "
            "lost. Confirmations and issues wait, and one email is tried from time to time."
        ),
        "{mend} To check it: newsletter relay check",
        True,
    )
    ACCOUNT_REFUSED = (
        "account_refused",
        "The relay refuses our account",
        (
            "The relay {subject} does not let our account send. It said: {said}. No email is "
            "lost. Confirmations and issues wait, and one email is tried from time to time."
        ),
        "{mend} To check it: newsletter relay check",
        True,
    )
    RELAY_REPLACED = (
        "relay_replaced",
        "A backup relay has taken over",
        (
            "The relay {subject} does not answer: {said}. Emails go through the backup relay {backup} until "
            "it answers again."
        ),
        (
            "Ask the relay's operator, or look at its log. You need not do anything here. This notice closes "
            "when the relay answers."
        ),
    )
    SCHEDULE_SKIPPED = (
        "schedule_skipped",
        "Late issues were skipped",
        (
            "The schedule of “{subject}” was late, so these issues were not sent: {dates}. Their releases "
            "come with the next issue."
        ),
        (
            "Find in the log of the service why nothing ran at that time. What happens to late issues is a "
            "setting of the schedule: newsletter schedule set --newsletter {subject}"
        ),
    )
    SCHEDULE_ASKS = (
        "schedule_asks",
        "A late issue waits for your answer",
        "The schedule of “{subject}” was late. Decide whether the issue of {dates} is still sent.",
        (
            "Send or skip it on the page of the schedule, or by: newsletter schedule late send|skip "
            "--newsletter {subject}. If you do nothing, the next issue brings its releases."
        ),
    )
    APPROVALS_WAIT = (
        "approvals_wait",
        "Releases wait for your approval",
        "The source {name} has new releases. {what} for approval.",
        (
            "Approve them on the page “Waiting for approval”, which the page “Releases” leads to, or by: "
            "newsletter release approve --all. You are told again of the first one after that."
        ),
    )
    URGENT_ASKS = (
        "urgent_asks",
        "A late urgent release waits for your answer",
        "“{title}” was to be sent urgently, and became ready {hours} hours late.",
        (
            "Decide on its page whether it is still sent urgently, or by: newsletter release urgent "
            "{subject}. If you do nothing, the next issue brings it."
        ),
    )
    ISSUE_PAUSED = (
        "issue_paused",
        "An issue paused by itself",
        "The issue “{title}” is paused. {what}",
        "When the cause is fixed, resume it on its page, or by: newsletter digest resume {subject}",
        True,
    )
    PROCESS_GONE = (
        "process_gone",
        "A process of the service is gone",
        "For two minutes, {name} was not seen. What it does waits.",
        "Look at the log of the service, and start it again. This notice closes when the process is seen.",
        True,
    )
    SCHEDULE_SILENT = (
        "schedule_silent",
        "A schedule has sent nothing for long",
        "The last {dates} dates of the schedule of “{subject}”, since {since}, brought nobody an email.",
        (
            "See whether releases come in and become ready, and whether they have topics that people "
            "subscribe to. For one person, ask: newsletter digest explain ADDRESS"
        ),
    )
    RESTORED_COPY = (
        "restored_copy",
        "Digests wait, because this may be a restored copy",
        "{what} If the original still sends, subscribers would get digests twice. So digests wait here.",
        (
            "Make sure that no other copy sends. Then let digests go on the page “Send from here”, or by: "
            "newsletter digest send-from-here"
        ),
        True,
    )
    APPROVAL_ASKED = (
        "approval_asked",
        "An issue waits for an approval",
        ("The issue of “{newsletter}” for {date} waits for an approval. Its first emails are due at {when}."),
        (
            "Look at it and approve it on its page, or by: newsletter digest approve --newsletter "
            "{newsletter} --date {date}. If nobody approves it before the issue of the next date begins, "
            "that one brings its releases."
        ),
    )
    APPROVAL_REMINDER = (
        "approval_reminder",
        "An issue still waits for an approval",
        (
            "The issue of “{newsletter}” for {date} still waits for an approval. Its first emails are due at "
            "{when}."
        ),
        (
            "Look at it and approve it on its page, or by: newsletter digest approve --newsletter "
            "{newsletter} --date {date}. If nobody approves it before the issue of the next date begins, "
            "that one brings its releases."
        ),
    )
    APPROVAL_MISSED = (
        "approval_missed",
        "An issue was not approved in time",
        (
            "Nobody approved the issue of “{newsletter}” for {date} before the issue of {next} began. It was "
            "not sent. The next issue brings its releases."
        ),
        (
            "Approve the next issue in time. To be asked earlier: newsletter schedule set --newsletter "
            "{newsletter} --approval-hours HOURS. This notice closes after a week."
        ),
    )
    APPROVED_CHANGED = (
        "approved_changed",
        "A text of an approved issue was corrected",
        (
            "These texts were corrected after the issue of “{newsletter}” for {date} was approved: {titles}. "
            "Emails that are not sent yet have the new texts."
        ),
        (
            "Look at them on the page “Releases”. If one is wrong, hold the release or pause the issue. This "
            "notice closes after a week."
        ),
    )
    CONSENT_LEDGER = (
        "consent_ledger",
        "The ledger of consent does not fit its signed head",
        (
            "Once a day we compare the ledger with its signed head, the file consent-head.jsonl in the data "
            "folder. This time they differ: {what} The head is not changed, because it is the proof."
        ),
        (
            "To see each fault: newsletter consent verify --all. If nobody has worked on the database, keep "
            "a copy of it and of the head, and restore a backup. This notice closes when both match again."
        ),
    )

    TEMPLATE_FAILED = (
        "template_failed",
        "The usual templates were used",
        ("An email of “{name}” could not be made with your templates, so it has the usual ones. {what}"),
        (
            "Open the page “Templates” of the newsletter, correct them and save. This notice closes when you "
            "save templates."
        ),
    )
    SOURCE_STOPPED = (
        "source_stopped",
        "A source is no longer fetched",
        "The source {name} is no longer fetched. {what}",
        (
            "Look at its address in a browser. If the feed has a new address, add that and remove this "
            "source. If it works again, resume it on its page, or: newsletter source resume {subject}"
        ),
    )
    SOURCE_MOVED = (
        "source_moved",
        "A source lists its releases again",
        (
            "The source {name} lists {what} releases under new identifiers, with texts that it had before. "
            "Perhaps the site has moved. They are held."
        ),
        (
            "Look at them on the page “Releases”. Exclude those that were sent before, and make the others "
            "ready. This notice closes after three days."
        ),
    )
    ITEMS_GONE = (
        "items_gone",
        "A release was removed while it settled",
        "The source {name} no longer lists what it had just published: {what}. It is held.",
        (
            "Ask the publisher. Then make it ready or exclude it on the page “Releases”. This notice closes "
            "after three days."
        ),
    )
    ITEMS_REMOVED = (
        "items_removed",
        "A release was removed by its source",
        "The source {name} no longer lists {what}. Nothing is held, because it was public already.",
        (
            "If the publisher withdrew it, exclude it on the page “Releases”. It then leaves the archive "
            "too. This notice closes after three days."
        ),
    )
    ITEMS_NOT_CORRECTED = (
        "items_not_corrected",
        "A release was not corrected",
        "The source {name} has changed {what}. The stored text was kept.",
        (
            "Open it on the page “Releases”, compare it with the source, and edit it if it is wrong. This "
            "notice closes after three days."
        ),
    )

    DUPLICATE_HELD = (
        "duplicate_held",
        "A release may be one that you held back",
        (
            "“{title}” has the text of “{other}”, which is under embargo, held, excluded or deleted. Nothing "
            "was merged. The new one is held."
        ),
        (
            "Compare both on the page “May be the same”. Merge them, or say that they are different and make "
            "the new one ready. This notice closes when you have decided."
        ),
    )

    def __init__(self, key: str, title: str, sentence: str, remedy: str, urgent: bool = False) -> None:
        self.key = key
        self.title = title
        self.sentence = sentence
        self.remedy = remedy
        self.urgent = urgent


_KINDS = {kind.key: kind for kind in NoticeKind}


class Words(NamedTuple):
    """The texts of a notice for people."""

    title: str
    sentence: str
    remedy: str
    urgent: bool


def tell_owner(session: Session, kind: NoticeKind, subject: str, now: datetime, **detail: Any) -> bool:
    """Open a notice unless one of this kind and subject is open; return whether it is new. Commits nothing.

    An open notice gets the new `detail` and is not emailed again.
    """
    fresh = insert_new(session, Notice).values(
        kind=kind.key, subject=subject, detail=detail, opened_at=now, seen_at=now
    )
    if session.scalar(fresh.returning(Notice.id)) is not None:
        log.warning("event=notice kind=%s subject=%s", kind.key, subject)
        return True
    session.execute(update(Notice).where(*_open(kind, subject)).values(detail=detail, seen_at=now))
    return False


def settle(session: Session, kind: NoticeKind, subject: str, now: datetime) -> bool:
    """Close the open notice of this kind and subject; return whether there was one. Commits nothing."""
    closed = update(Notice).where(*_open(kind, subject)).values(settled_at=now)
    return session.connection().execute(closed).rowcount > 0


def settle_quiet(session: Session, kind: NoticeKind, before: datetime, now: datetime) -> int:
    """Close the open notices of this kind that were last reported before `before`; return how many."""
    quiet = update(Notice).where(*_open(kind), Notice.seen_at < before)
    return session.connection().execute(quiet.values(settled_at=now)).rowcount


def find_open(session: Session, kind: NoticeKind, subject: str) -> Notice | None:
    """Return the open notice of this kind and subject, or None."""
    return session.scalars(select(Notice).where(*_open(kind, subject))).one_or_none()


def open_notices(session: Session, kind: NoticeKind | None = None) -> list[Notice]:
    """Return the open notices (of one kind), newest first."""
    wanted = select(Notice).where(*(_open(kind) if kind else (Notice.settled_at.is_(None),)))
    return list(session.scalars(wanted.order_by(Notice.opened_at.desc(), Notice.id.desc())))


def words(notice: Notice) -> Words:
    """Return the texts of a notice. This never fails, even if another version of this code wrote the row."""
    kind = _KINDS.get(notice.kind)
    if kind is None:
        return Words(notice.kind, f"{notice.kind} {notice.subject}".strip(), "", urgent=False)
    known = _Detail({**notice.detail, "subject": notice.subject})
    return Words(
        kind.title, kind.sentence.format_map(known), kind.remedy.format_map(known), urgent=kind.urgent
    )


class _Detail(dict[str, Any]):
    """The values for a text's placeholders. A detail that an older version did not store is "unknown"."""

    def __missing__(self, key: str) -> str:
        return "unknown"


def as_record(notice: Notice) -> Mapping[str, Any]:
    """Return a notice as a mapping, for commands and pages."""
    said = words(notice)
    return {
        "id": notice.id,
        "kind": notice.kind,
        "subject": notice.subject,
        "opened_at": notice.opened_at,
        "title": said.title,
        "sentence": said.sentence,
        "remedy": said.remedy,
        "urgent": said.urgent,
    }


def _open(kind: NoticeKind, subject: str | None = None) -> tuple[Any, ...]:
    named = () if subject is None else (Notice.subject == subject,)
    return (Notice.settled_at.is_(None), Notice.kind == kind.key, *named)
