"""Classify an incoming message: unsubscribe, request for a link, report, for the owner, or nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from newsletter.bounces.read_header import Header, addresses_in, first_word, only_author, read_header
from newsletter.errors import AddressInvalid
from newsletter.mail.addresses import Address, parse_address
from newsletter.mail.verp import parse_leave_address, parse_return_path

# Header fields that may hold the recipient when we do not have the envelope. First the fields that delivery
# agents add (Postfix, Exim, qmail, Courier, Fastmail), then those of the sender.
_TRACES = ("x-original-to", "delivered-to", "envelope-to", "x-envelope-to", "x-delivered-to", "to", "cc")


@dataclass(frozen=True)
class UnsubscribeByEmail:
    """A subscriber, or their mail program, wrote to the signed address of a delivery: unsubscribe them.

    Without a newsletter, the address means everything.
    """

    public_id: str
    delivery_id: int
    newsletter_id: int | None = None


@dataclass(frozen=True)
class LinkRequestByEmail:
    """An email to the plain address. From can be forged, so we only email a link to that address."""

    address: Address


@dataclass(frozen=True)
class ForOwner:
    """An email to postmaster@ or abuse@ of one of our return-path domains (RFC 2142)."""

    role: str


@dataclass(frozen=True)
class Returned:
    """A report or an automatic reply (bounces/reports/receive.py).

    `recipients` are the addresses it was sent to.
    """

    recipients: tuple[str, ...]


@dataclass(frozen=True)
class NothingToDo:
    """The message is not for us, or a program should not answer it; `reason` is a word for the log."""

    reason: str


InboundAction = UnsubscribeByEmail | LinkRequestByEmail | ForOwner | Returned | NothingToDo

# RFC 5321, section 4.5.1, and RFC 2142 require that somebody reads these.
OWNERS_ROLES = ("postmaster", "abuse")


@dataclass(frozen=True)
class OwnAddresses:
    """Our own addresses: one mailbox, its signed forms, and two role addresses of each return-path domain."""

    mailbox: str | None
    key: bytes
    return_path_domains: frozenset[str] = frozenset()
    return_key: bytes = b""
    plain_paths: frozenset[str] = frozenset()

    def unsubscription_of(self, address: str) -> UnsubscribeByEmail | None:
        """Return whom an email to `address` unsubscribes, or None if it is not a signed address of ours."""
        found = parse_leave_address(address, self.key)
        return None if found is None else UnsubscribeByEmail(*found)

    def is_mailbox(self, address: str) -> bool:
        """Return whether `address` is the mailbox for unsubscribe emails, ignoring case."""
        return self.mailbox is not None and _folded(address) == _folded(self.mailbox)

    def takes(self, address: str) -> bool:
        """Return whether mail to `address` is for us. An address with a forged token does not exist."""
        ours = self.is_mailbox(address) or self.role_of(address) is not None
        return ours or self.is_return_path(address) or self.unsubscription_of(address) is not None

    def is_return_path(self, address: str) -> bool:
        """Return whether reports come to `address`: a signed return path, or a relay's plain one."""
        return _folded(address) in self.plain_paths or self.is_signed_path(address)

    def is_signed_path(self, address: str) -> bool:
        """Return whether `address` is the signed return path of a delivery."""
        return bool(self.return_key) and parse_return_path(address, [self.return_key]) is not None

    def role_of(self, address: str) -> str | None:
        """Return the role that `address` names, ignoring case: postmaster, abuse, or None."""
        local, _, domain = _folded(address).rpartition("@")
        return local if domain in self.return_path_domains and local in OWNERS_ROLES else None


def read_mail(
    raw: bytes, own: OwnAddresses, recipients: Sequence[str] = (), sender: str | None = None
) -> list[InboundAction]:
    """Return what to do about a message: at least one action, each once. Never raises, for any `raw`.

    `recipients` and `sender` are the envelope's. Without them the header is used. That is no risk, because
    an address that unsubscribes is signed. `sender` is empty or "<>" for a bounce, None when unknown.
    """
    header = read_header(raw)
    named = [*recipients, *addresses_in(header, _TRACES)]
    # A vacation notice or a bounce never unsubscribes anybody. Other automatic mail may: some providers send
    # the unsubscribe email for their users and mark it as auto-generated.
    if is_answer(header) or any(map(own.is_return_path, named)):
        return [Returned(tuple(named))]
    unsubscribing = dict.fromkeys(each for each in map(own.unsubscription_of, named) if each is not None)
    if unsubscribing:
        return list(unsubscribing)
    if any(map(own.is_mailbox, named)):
        return [_asked(header, sender)]
    role = next((found for each in named if (found := own.role_of(each)) is not None), None)
    if role is None:
        return [NothingToDo("not-ours")]
    return [NothingToDo("automatic") if is_automatic(header, sender) else ForOwner(role)]


def _asked(header: Header, sender: str | None) -> InboundAction:
    if is_automatic(header, sender):
        return NothingToDo("automatic")
    author = only_author(header)
    if author is None:
        return NothingToDo("no-author")
    try:
        return LinkRequestByEmail(parse_address(author))
    except AddressInvalid:
        return NothingToDo("no-author")


def is_answer(header: Header) -> bool:
    """Return whether this is an automatic reply: a bounce, a receipt, a vacation notice (RFC 3834)."""
    return (
        first_word(header, "auto-submitted") in {"auto-replied", "auto-notified"}
        or first_word(header, "content-type") == "multipart/report"
        or first_word(header, "precedence") == "auto_reply"
        or "x-autoreply" in header
        or "x-autorespond" in header
    )


def is_automatic(header: Header, sender: str | None) -> bool:
    """Return whether a program wrote this, so that our reply could start a loop (RFC 3834, section 2)."""
    paths: Iterable[str] = header.get("return-path", ()) if sender is None else (sender,)
    return (
        is_answer(header)
        # If a server cannot pass "<>" to a program, it passes MAILER-DAEMON.
        or any(_folded(path).partition("@")[0] in {"", "mailer-daemon"} for path in paths)
        or first_word(header, "auto-submitted") not in {"", "no"}
        or first_word(header, "precedence") in {"bulk", "list", "junk"}
        or "list-id" in header
        or "list-unsubscribe" in header
        or "x-loop" in header
    )


def _folded(address: str) -> str:
    return address.strip().removeprefix("<").removesuffix(">").lower()
