"""Build the message of a claimed delivery: its envelope now, its bytes when the transport asks for them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.errors import InputError
from newsletter.languages import choose_language
from newsletter.links import Links
from newsletter.mail import headers as fields
from newsletter.mail.addresses import canonical
from newsletter.mail.assemble import build_message, single_body, with_attachment
from newsletter.mail.dkim import DKIMKey, Presigner, load_key, sign
from newsletter.mail.headers import Field
from newsletter.mail.templates import TemplateSet
from newsletter.mail.verp import LEAVE_KEY, delivery_token, leave_address, return_path
from newsletter.messages.edition import Edition
from newsletter.models import Delivery, Issue, Lane, Rendition, Subscriber, is_one_of
from newsletter.settings import Relay, Settings, choose_relay, plain_return_path
from newsletter.smtp.outcomes import Envelope, Outgoing, WholeLines
from newsletter.tokens import Purpose, Tokens


class Claimed(NamedTuple):
    """The values of a claimed delivery that its message needs. They need no database session."""

    id: int
    lane: Lane
    issue_id: int | None
    subscriber_id: int | None
    template: str | None
    context: dict[str, Any] | None
    language: str
    attempt: int
    created_at: datetime
    address: str | None
    email_key: str | None
    subscriber_public_id: str | None
    rendition_key: str | None
    issue_public_id: str | None
    failed_before: bool


def load_claimed(session: Session, delivery_ids: Sequence[int]) -> list[Claimed]:
    """Return the claimed deliveries in the order of their ids."""
    query = (
        select(
            Delivery.id, Delivery.lane, Delivery.issue_id, Delivery.subscriber_id, Delivery.template,
            Delivery.context, Delivery.language, Delivery.attempt, Delivery.created_at,
            func.coalesce(Subscriber.email, Delivery.recipient), Subscriber.email_key, Subscriber.public_id,
            Rendition.key, Issue.public_id, Delivery.build_failed_at.is_not(None),
        )
        .outerjoin(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .outerjoin(Rendition, Rendition.id == Delivery.rendition_id)
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .where(is_one_of(session, Delivery.id, delivery_ids))
        .order_by(Delivery.id)
    )  # fmt: skip
    return [Claimed._make(row) for row in session.execute(query)]


_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """The values of the newsletter that templates use."""

    name: str
    tagline: str
    postal_address: str
    public_url: str


# The headers that differ for each digest, in their order. The others are the same in the whole issue.
_PERSONAL = (b"To", b"Date", b"Message-ID", b"List-Unsubscribe")


@dataclass(frozen=True, slots=True)
class _Digest:
    """What all digests of one issue and language share: edition, headers, and a signer for the headers."""

    edition: Edition
    head: bytes
    signer: Presigner


class MessageMaker:
    """Makes the messages of one installation. It caches editions, so share one within a process."""

    def __init__(self, settings: Settings, tokens: Tokens, links: Links, templates: TemplateSet) -> None:
        self.settings = settings
        self.tokens = tokens
        self.links = links
        self.templates = templates
        self.site = SiteFacts(
            settings.site_name, settings.tagline, settings.postal_address, settings.public_url
        )
        self._editions: dict[tuple[int, str], _Digest] = {}

    def outgoing(self, session: Session, claimed: Claimed, now: datetime) -> Outgoing:
        """Return the message of one delivery. Its bytes are built when the transport asks for them.

        The edition of its issue is loaded once. `now` is the message's Date.
        """
        token = delivery_token(str(claimed.id), self._return_key)
        if claimed.rendition_key is not None:
            edition = self._edition(session, claimed)
            build: Callable[[], bytes] = partial(self._digest, claimed, edition, token, now)
        else:
            build = partial(self._single, claimed, token, now)
        path = self._plain_path
        if path is None:
            path = return_path(token, self.settings.return_path_domain or self.settings.sender_domain)
        return Outgoing(claimed.id, Envelope(path, claimed.address or "", envelope_id=str(claimed.id)), build)

    def build_sample(self, language: str, now: datetime) -> bytes:
        """Return a sample confirmation email. Raises any fault that would stop all emails of this process."""
        nobody = f"nobody@{self.settings.sender_domain}"
        claimed = Claimed(
            id=0, lane=Lane.SINGLE, issue_id=None, subscriber_id=None, template="confirm",
            context={"topics": ["-"], "upto": 0}, language=language, attempt=1, created_at=now,
            address=nobody, email_key=nobody, subscriber_public_id="", rendition_key=None,
            issue_public_id=None, failed_before=False,
        )  # fmt: skip
        return self._single(claimed, delivery_token(str(claimed.id), self._return_key), now)

    def subscriber_fields(self, claimed: Claimed, now: datetime) -> dict[str, str]:
        """Return the personal links of one digest. Without a subscriber (a test) they change nothing."""
        view = self.tokens.make(Purpose.VIEW, [claimed.subscriber_public_id or "", claimed.id], now)
        return {
            "browser_url": self.links.view(view),
            "preferences_url": self._preferences_url(claimed, now),
            "unsubscribe_url": self._unsubscribe_url(claimed, now),
        }

    def _preferences_url(self, claimed: Claimed, now: datetime) -> str:
        if claimed.subscriber_public_id is None or claimed.email_key is None:
            return self.links.send_link()
        fingerprint = self.tokens.fingerprint(claimed.email_key)
        return self.links.preferences(
            self.tokens.make(Purpose.PREFERENCES, [claimed.subscriber_public_id, fingerprint], now)
        )

    def _edition(self, session: Session, claimed: Claimed) -> _Digest:
        if claimed.issue_id is None or claimed.issue_public_id is None:
            raise InputError(f"delivery {claimed.id} has a rendition but no issue")
        known = (claimed.issue_id, claimed.language)
        # If building failed before, load the edition again: the fault may be fixed since.
        if known not in self._editions or claimed.failed_before:
            # One issue is sent at a time, so older editions need not stay in memory.
            if len(self._editions) >= 8:
                self._editions.clear()
            edition = Edition.load(session, claimed.issue_id, claimed.issue_public_id, claimed.language)
            head = [
                *self._sender,
                fields.subject_field(edition.subject),
                self._list_id,
                fields.one_click_field(),
                fields.feedback_id_field(f"{claimed.issue_public_id}:digest:{self._feedback_sender}"),
                fields.bulk_field(),
                *fields.mime_fields(edition.boundary),
            ]
            signer = Presigner(head, _PERSONAL, self._keys)
            self._editions[known] = _Digest(edition, fields.join_fields(head), signer)
        return self._editions[known]

    def _digest(self, claimed: Claimed, digest: _Digest, token: str, now: datetime) -> bytes:
        values = self.subscriber_fields(claimed, now)
        personal = [
            *self._personal(claimed, token, now),
            fields.list_unsubscribe_field(values["unsubscribe_url"], self._leave_mailto(claimed)),
        ]
        body = digest.edition.body(claimed.rendition_key or "", values)
        signatures = digest.signer.sign(personal, body, int(now.timestamp()))
        lines = signatures + digest.head + fields.join_fields(personal)
        # Header fields and encoded parts have no bare CR or LF, and no line that starts with a dot
        # (mail/headers.py, mail/assemble.py). So these 40 KB need no search for each message.
        return WholeLines(build_message(lines, body))

    def _leave_mailto(self, claimed: Claimed) -> str | None:
        """Return the mailto: of List-Unsubscribe. A test to no subscriber gets the plain mailbox."""
        mailbox = self.settings.unsubscribe_address
        if mailbox is None:
            return None
        signed = leave_address(mailbox, claimed.subscriber_public_id or "", claimed.id, self._leave_key)
        return f"mailto:{signed or mailbox}?subject=unsubscribe"

    def _single(self, claimed: Claimed, token: str, now: datetime) -> bytes:
        language = choose_language(claimed.language, self.settings.languages)
        rendered = self.templates.render(claimed.template or "", language, self._single_context(claimed, now))
        boundary = fields.make_boundary(f"delivery {claimed.id}")
        head = [
            *self._sender,
            *self._personal(claimed, token, now),
            fields.subject_field(rendered.subject),
            fields.auto_submitted_field(),
            *(self._list_fields(claimed, now) if claimed.template == "welcome" else ()),
        ]
        body = single_body(rendered.text, rendered.html, boundary)
        attached = (claimed.context or {}).get("attached")
        if attached is None:
            return self._signed([*head, *fields.mime_fields(boundary)], body, now)
        outer = fields.make_boundary(f"delivery {claimed.id} with an attachment")
        body = with_attachment(body, boundary, outer, "message.eml", base64.b64decode(attached))
        return self._signed([*head, *fields.mime_fields(outer, "mixed")], body, now)

    def _single_context(self, claimed: Claimed, now: datetime) -> dict[str, Any]:
        stored = dict(claimed.context or {})
        context: dict[str, Any] = {"site": self.site, "timezone": self.settings.time_zone, **stored}
        if claimed.template in {"confirm", "reminder"}:
            payload = [
                claimed.subscriber_public_id,
                self.tokens.fingerprint(claimed.email_key or ""),
                stored["upto"],
            ]
            context["confirm_url"] = self.links.confirm(self.tokens.make(Purpose.CONFIRM, payload, now))
            context["disown_url"] = self.links.disown(self.tokens.make(Purpose.DISOWN, payload, now))
            context["confirm_days"] = self.settings.confirm_days
            context["reminds"] = self.settings.reminder_hours > 0
        else:
            context["preferences_url"] = self._preferences_url(claimed, now)
        if claimed.template == "welcome":
            context["unsubscribe_url"] = self._unsubscribe_url(claimed, now)
            context["archive_url"] = self.links.archive()
            context["releases"] = [
                {**each, "url": self.links.release(each["id"]), "date": date.fromisoformat(each["date"])}
                for each in stored["releases"]
            ]
        elif claimed.template == "own_link":
            context["link_url"] = self._own_link(claimed, stored["right"], now)
        elif claimed.template == "left":
            proof = self.tokens.fingerprint(claimed.email_key or "")
            undo = self.tokens.make(
                Purpose.UNDO, [claimed.subscriber_public_id, stored["left_at"], proof], now
            )
            context["undo_url"] = self.links.undo(undo)
        elif claimed.template in {"change_address", "address_changed"} and stored["change"] is not None:
            # This address is not the subscriber's, not yet or no longer. So the link allows only this change.
            proof = self.tokens.fingerprint(canonical(claimed.address or ""))
            wish = [stored["reader"], stored["change"], proof]
            context["change_url"] = self.links.move(self.tokens.make(Purpose.CHANGE_ADDRESS, wish, now))
            context["change_days"] = self.settings.confirm_days
        return context

    def _own_link(self, claimed: Claimed, right: str, now: datetime) -> str:
        """Return the requested link, which is valid for an hour (subscribers/privacy/emailed_links.py)."""
        payload = [claimed.subscriber_public_id, self.tokens.fingerprint(claimed.email_key or "")]
        purpose, link = {
            "export": (Purpose.EXPORT, self.links.export),
            "erase": (Purpose.ERASE, self.links.erase),
            "address": (Purpose.NEW_ADDRESS, self.links.new_address),
        }[right]
        return link(self.tokens.make(purpose, payload, now))

    def _list_fields(self, claimed: Claimed, now: datetime) -> list[Field]:
        """Return the list headers, which make email programs offer to unsubscribe."""
        url = self._unsubscribe_url(claimed, now)
        return [
            self._list_id,
            fields.list_unsubscribe_field(url, self._leave_mailto(claimed)),
            fields.one_click_field(),
            fields.feedback_id_field(f"welcome:single:{self._feedback_sender}"),
        ]

    def _unsubscribe_url(self, claimed: Claimed, now: datetime) -> str:
        token = self.tokens.make(Purpose.UNSUBSCRIBE, [claimed.subscriber_public_id or "", claimed.id], now)
        return self.links.unsubscribe(token)

    def _signed(self, head: list[Field], body: bytes, now: datetime) -> bytes:
        lines = fields.join_fields(head)
        if not self._keys:
            return build_message(lines, body)
        return build_message(sign(head, body, self._keys, int(now.timestamp())) + lines, body)

    def _personal(self, claimed: Claimed, token: str, now: datetime) -> list[Field]:
        # Every attempt has the same Message-ID, so that duplicates can be recognised. The time makes it
        # differ from a delivery with the same id in an earlier database of this installation.
        unique = f"{token}.{int(claimed.created_at.timestamp())}"
        return [
            fields.to_field(claimed.address or ""),
            fields.date_field(now),
            fields.message_id_field(unique, self.settings.sender_domain),
            fields.token_field(self._relay.token_header, token),
        ]

    @cached_property
    def _relay(self) -> Relay:
        return choose_relay(self.settings, self.settings.from_address)

    @cached_property
    def _plain_path(self) -> str | None:
        return plain_return_path(self.settings, self._relay)

    @cached_property
    def _return_key(self) -> bytes:
        return self.tokens.derived_key("return-path")

    @cached_property
    def _leave_key(self) -> bytes:
        return self.tokens.derived_key(LEAVE_KEY)

    @cached_property
    def _sender(self) -> list[Field]:
        settings = self.settings
        sender = [fields.from_field(settings.from_address, settings.from_name or settings.site_name)]
        if settings.reply_to:
            sender.append(fields.reply_to_field(settings.reply_to))
        return sender

    @cached_property
    def _list_id(self) -> Field:
        host = self.settings.host
        # RFC 2919 requires a name, so if the host is an IP address, the From domain is used.
        named = "." in host and ":" not in host and not host.rpartition(".")[2].isdigit()
        usual = f"letter.{host if named else self.settings.sender_domain}"
        return fields.list_id_field(self.settings.list_id or usual, self.settings.site_name)

    @cached_property
    def _feedback_sender(self) -> str:
        letters = "".join(each for each in self.settings.sender_domain if each.isascii() and each.isalnum())
        return (letters + "newsletter")[:15]

    @cached_property
    def _keys(self) -> tuple[DKIMKey, ...]:
        return load_keys(self.settings)


def load_keys(settings: Settings) -> tuple[DKIMKey, ...]:
    """Return the DKIM keys of the settings' file, each with its selector; none if no file is set.

    Raises InputError as `read_keys` does.
    """
    file, selectors = settings.dkim_key_file, settings.dkim_selector
    if file is None or selectors is None:
        return ()
    return read_keys(file, selectors, settings.sender_domain)


def read_keys(file: Path, selectors: str, domain: str) -> tuple[DKIMKey, ...]:
    """Return the private keys in `file`, each with one of the `selectors` (separated by commas).

    Raises InputError when the file cannot be read, a key is unusable, or the numbers of selectors and keys
    differ.
    """
    try:
        pems = _PEM.findall(file.read_text("ascii", "replace"))
    except OSError as fault:
        raise InputError(f"{file} cannot be read: {fault.strerror}") from fault
    names = [each.strip() for each in selectors.split(",")]
    if not pems:
        raise InputError(f"{file} holds no private key in PEM form; `newsletter dkim new` makes one")
    if len(pems) != len(names):
        raise InputError(f"{file} holds {len(pems)} private keys for {len(names)} DKIM selectors")
    return tuple(load_key(pem, selector=name, domain=domain) for pem, name in zip(pems, names, strict=True))
