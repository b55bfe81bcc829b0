"""Build the message of a claimed delivery: its envelope now, its bytes when the transport asks for them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial

from sqlalchemy.orm import Session

from newsletter.errors import InputError
from newsletter.identity import Identities, Identity
from newsletter.languages import choose_language
from newsletter.links import Links
from newsletter.mail import headers as fields
from newsletter.mail.assemble import build_message, single_body, with_attachment
from newsletter.mail.dkim import Presigner, sign
from newsletter.mail.headers import Field
from newsletter.mail.palette import USUAL, Palette
from newsletter.mail.templates import TemplateSet
from newsletter.mail.verp import LEAVE_KEY, RETURN_KEY, delivery_token, leave_address, return_path
from newsletter.messages.claimed import Claimed
from newsletter.messages.digests.edition import Edition
from newsletter.messages.kinds import KINDS, Making
from newsletter.messages.personal_links import PersonalLinks
from newsletter.messages.sender import Sender, Senders
from newsletter.models import FIRST_NEWSLETTER, Lane
from newsletter.settings import Settings
from newsletter.smtp.outcomes import Envelope, Outgoing, WholeLines
from newsletter.tokens import Tokens


@dataclass(frozen=True, slots=True)
class ShownLogo:
    """A logo as templates use it: its absolute URL, and the size at which it is shown."""

    url: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """The values of the newsletter that templates use, in one language."""

    name: str
    tagline: str
    postal_address: str
    public_url: str
    palette: Palette = USUAL
    # The sign-up page in the language of the email.
    home_url: str = ""
    logo: ShownLogo | None = None

    @property
    def name_in_address(self) -> bool:
        """Whether the postal address begins with the name, so that the footer need not repeat it."""
        return self.postal_address.casefold().startswith(self.name.casefold())

    @classmethod
    def of(cls, identity: Identity, language: str, public_url: str) -> SiteFacts:
        """Return the values of a newsletter."""
        texts = identity.texts_in(language)
        links = Links(public_url)
        spoken = links.in_language(identity.language_in_links(language))
        is_first = identity.newsletter_id == FIRST_NEWSLETTER
        logo = identity.logo
        return cls(
            texts.name,
            texts.tagline,
            identity.postal_address,
            public_url if is_first else links.newsletter(identity.slug),
            identity.palette,
            spoken.home() if is_first else spoken.newsletter(identity.slug),
            ShownLogo(links.logo(logo.file_name), logo.width, logo.height) if logo else None,
        )


# The headers that differ for each digest, in their order. The others are the same in the whole issue.
_PERSONAL = (b"To", b"Date", b"Message-ID", b"Subject", b"List-Unsubscribe")


@dataclass(frozen=True, slots=True)
class _Digest:
    """What all digests of one issue and language share: edition, headers, and a signer for the headers."""

    edition: Edition
    head: bytes
    signer: Presigner


class MessageMaker:
    """Makes the messages of one installation. It caches editions, so share one within a process."""

    def __init__(self, settings: Settings, tokens: Tokens, links: Links, templates: TemplateSet) -> None:
        self.tokens = tokens
        self.links = links
        self.templates = templates
        self.personal = PersonalLinks(tokens, links)
        self.identities = Identities(settings)
        self.senders = Senders(settings, self.identities)
        self.settings = settings
        self._makers: dict[tuple[int, bool], _NewsletterMaker] = {}

    def refresh(self, session: Session) -> None:
        """Notice changes of newsletters. Call it for each batch, so that edits need no restart."""
        self.identities.refresh(session)

    def outgoing(self, session: Session, claimed: Claimed, sender: Sender, now: datetime) -> Outgoing:
        """Return the message of one delivery. Its bytes are built when the transport asks for them.

        The edition of its issue is loaded once. `now` is the message's Date.
        """
        return self._maker(sender).outgoing(session, claimed, now)

    def build_sample(
        self, sender: Sender, language: str, now: datetime, topics: Sequence[str] = ("-",)
    ) -> bytes:
        """Return a sample confirmation email. Raises any fault that would stop all emails of this sender."""
        return self._maker(sender).build_sample(language, now, topics)

    def subscriber_fields(self, claimed: Claimed, now: datetime) -> dict[str, str]:
        """Return the personal links of one digest. Without a subscriber (a test) they change nothing."""
        return digest_fields(self.personal, claimed, now)

    def _maker(self, sender: Sender) -> _NewsletterMaker:
        key = (sender.newsletter_id, sender.by_backup)
        known = self._makers.get(key)
        if known is None or known.sender is not sender:
            known = _NewsletterMaker(sender, self.tokens, self.personal, self.templates)
            self._makers[key] = known
        return known


def digest_fields(personal: PersonalLinks, claimed: Claimed, now: datetime) -> dict[str, str]:
    """Return the personal links of one digest."""
    return {
        "browser_url": personal.view(claimed, now),
        "preferences_url": personal.preferences(claimed, now),
        "unsubscribe_url": personal.unsubscribe(claimed, now),
    }


class _NewsletterMaker:
    """Makes the messages of one newsletter at one version. A new version needs a new maker."""

    def __init__(
        self,
        sender: Sender,
        tokens: Tokens,
        personal: PersonalLinks,
        templates: TemplateSet,
    ) -> None:
        self.sender = sender
        self.identity = sender.identity
        self.settings = sender.settings
        self.tokens = tokens
        self.personal = personal
        self.templates = templates
        self._editions: dict[tuple[int, str], _Digest] = {}

    def outgoing(self, session: Session, claimed: Claimed, now: datetime) -> Outgoing:
        """Return the message of one delivery, as `MessageMaker.outgoing` does."""
        token = delivery_token(str(claimed.id), self._return_key)
        if claimed.rendition_key is not None:
            edition = self._edition(session, claimed)
            build: Callable[[], bytes] = partial(self._digest, claimed, edition, token, now)
        else:
            build = partial(self._single, claimed, token, now)
        path = self.sender.plain_path or return_path(token, self.sender.path_domain)
        return Outgoing(claimed.id, Envelope(path, claimed.address or "", envelope_id=str(claimed.id)), build)

    def build_sample(self, language: str, now: datetime, topics: Sequence[str]) -> bytes:
        """Return a sample confirmation email for these names of topics."""
        nobody = f"nobody@{self.identity.sender_domain}"
        claimed = Claimed(
            id=0, lane=Lane.SINGLE, issue_id=None, subscriber_id=None, template="confirm",
            context={"topics": list(topics), "upto": 0}, language=language, attempt=1, created_at=now,
            address=nobody, email_key=nobody, subscriber_public_id="", rendition_key=None,
            issue_public_id=None, failed_before=False, newsletter_id=None,
        )  # fmt: skip
        return self._single(claimed, delivery_token(str(claimed.id), self._return_key), now)

    def _edition(self, session: Session, claimed: Claimed) -> _Digest:
        if claimed.issue_id is None or claimed.issue_public_id is None:
            raise InputError(f"delivery {claimed.id} has a rendition but no issue")
        known = (claimed.issue_id, claimed.language)
        # If building failed before, load the edition again: the fault may be fixed since. The same if another
        # process has rendered a correction or a later wave since.
        if known not in self._editions or claimed.failed_before or self._lacks(known, claimed):
            # One issue is sent at a time, so older editions need not stay in memory.
            if len(self._editions) >= 8:
                self._editions.clear()
            edition = Edition.load(session, claimed.issue_id, claimed.issue_public_id, claimed.language)
            head = [
                *self._sender_fields,
                self._list_id,
                fields.one_click_field(),
                fields.feedback_id_field(f"{claimed.issue_public_id}:digest:{self._feedback_end}"),
                fields.bulk_field(),
                *fields.mime_fields(edition.boundary),
            ]
            signer = Presigner(head, _PERSONAL, self.sender.keys)
            self._editions[known] = _Digest(edition, fields.join_fields(head), signer)
        return self._editions[known]

    def _lacks(self, known: tuple[int, str], claimed: Claimed) -> bool:
        key = claimed.rendition_key or ""
        return bool(key) and not self._editions[known].edition.has_all(key)

    def _digest(self, claimed: Claimed, digest: _Digest, token: str, now: datetime) -> bytes:
        values = digest_fields(self.personal, claimed, now)
        personal = [
            *self._personal(claimed, token, now),
            digest.edition.subject_field(claimed.rendition_key or ""),
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
        person, key = claimed.subscriber_public_id or "", self._leave_key
        signed = leave_address(mailbox, person, claimed.id, key, claimed.newsletter_id)
        return f"mailto:{signed or mailbox}?subject=unsubscribe"

    def _single(self, claimed: Claimed, token: str, now: datetime) -> bytes:
        language = choose_language(claimed.language, self.identity.languages)
        kind, stored = KINDS[claimed.template or ""], dict(claimed.context or {})
        slug = "" if self._is_first else self.identity.slug
        personal = self.personal.in_language(self.identity.language_in_links(language))
        values = kind.values(Making(claimed, stored, personal, self.settings, slug, now))
        site = SiteFacts.of(self.identity, language, self.settings.public_url)
        context = {"site": site, "timezone": self.identity.time_zone, **stored, **values}
        rendered = self.templates.render(claimed.template or "", language, context)
        boundary = fields.make_boundary(f"delivery {claimed.id}")
        head = [
            *self._sender_fields,
            *self._personal(claimed, token, now),
            fields.subject_field(rendered.subject),
            fields.auto_submitted_field(),
            *(self._list_fields(claimed, now) if kind.has_list_fields else ()),
        ]
        body = single_body(rendered.text, rendered.html, boundary)
        attached = stored.get("attached")
        if attached is None:
            return self._signed([*head, *fields.mime_fields(boundary)], body, now)
        outer = fields.make_boundary(f"delivery {claimed.id} with an attachment")
        body = with_attachment(body, boundary, outer, "message.eml", base64.b64decode(attached))
        return self._signed([*head, *fields.mime_fields(outer, "mixed")], body, now)

    def _list_fields(self, claimed: Claimed, now: datetime) -> list[Field]:
        """Return the list headers, which make email programs offer to unsubscribe."""
        url = self.personal.unsubscribe(claimed, now)
        return [
            self._list_id,
            fields.list_unsubscribe_field(url, self._leave_mailto(claimed)),
            fields.one_click_field(),
            fields.feedback_id_field(f"{claimed.template}:single:{self._feedback_end}"),
        ]

    def _signed(self, head: list[Field], body: bytes, now: datetime) -> bytes:
        lines = fields.join_fields(head)
        keys = self.sender.keys
        if not keys:
            return build_message(lines, body)
        return build_message(sign(head, body, keys, int(now.timestamp())) + lines, body)

    def _personal(self, claimed: Claimed, token: str, now: datetime) -> list[Field]:
        # Every attempt has the same Message-ID, so that duplicates can be recognised. The time makes it
        # differ from a delivery with the same id in an earlier database of this installation.
        unique = f"{token}.{int(claimed.created_at.timestamp())}"
        return [
            fields.to_field(claimed.address or ""),
            fields.date_field(now),
            fields.message_id_field(unique, self.identity.sender_domain),
            fields.token_field(self.sender.relay.token_header, token),
        ]

    @cached_property
    def _return_key(self) -> bytes:
        return self.tokens.derived_key(RETURN_KEY)

    @cached_property
    def _leave_key(self) -> bytes:
        return self.tokens.derived_key(LEAVE_KEY)

    @cached_property
    def _sender_fields(self) -> list[Field]:
        identity = self.identity
        sender = [fields.from_field(identity.from_address, identity.sender_name)]
        if identity.reply_to:
            sender.append(fields.reply_to_field(identity.reply_to))
        return sender

    @cached_property
    def _list_id(self) -> Field:
        host = self.settings.host
        # RFC 2919 requires a name, so if the host is an IP address, the From domain is used.
        named = "." in host and ":" not in host and not host.rpartition(".")[2].isdigit()
        usual = f"letter.{host if named else self.identity.sender_domain}"
        if self._is_first:
            return fields.list_id_field(self.settings.list_id or usual, self.identity.name)
        return fields.list_id_field(f"{self.identity.slug}.{usual}", self.identity.name)

    @cached_property
    def _feedback_end(self) -> str:
        """The last parts of Feedback-ID: the newsletter, unless it is the first, and the sender."""
        letters = "".join(each for each in self.identity.sender_domain if each.isascii() and each.isalnum())
        sender = (letters + "newsletter")[:15]
        return sender if self._is_first else f"{self.identity.slug}:{sender}"

    @property
    def _is_first(self) -> bool:
        """Whether mailbox providers knew this newsletter before there were others: its headers stay."""
        return self.identity.newsletter_id == FIRST_NEWSLETTER
