"""How each newsletter's emails are sent: relay, envelope sender and DKIM keys, chosen by its From address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from newsletter.identity import Identities, Identity, identity_of_settings
from newsletter.mail.dkim import DKIMKey
from newsletter.messages.dkim_keys import lacks_key, load_keys, missing_key
from newsletter.models import FIRST_NEWSLETTER
from newsletter.settings import Relay, Settings, choose_backup, choose_relay, plain_return_path


@dataclass(frozen=True)
class Sender:
    """How the emails of one newsletter, at one version, are sent.

    `first_domain` is the From domain of the first newsletter. With `by_backup`, the emails go through the
    backup relay.
    """

    settings: Settings
    identity: Identity
    first_domain: str
    by_backup: bool = False

    @classmethod
    def of_settings(cls, settings: Settings) -> Sender:
        """Return the sender that the settings describe, for code that has no database yet."""
        identity = identity_of_settings(settings)
        return cls(settings, identity, identity.sender_domain)

    @cached_property
    def newsletter_id(self) -> int:
        """The newsletter."""
        return self.identity.newsletter_id

    @cached_property
    def relay(self) -> Relay:
        """The relay for the From address."""
        if self.by_backup and (backup := choose_backup(self.settings, self.identity.from_address)):
            return backup
        return choose_relay(self.settings, self.identity.from_address)

    @cached_property
    def backup(self) -> Sender | None:
        """How the same emails are sent while the relay is down; None if there is no backup relay."""
        if self.by_backup or choose_backup(self.settings, self.identity.from_address) is None:
            return None
        return replace(self, by_backup=True)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of the newsletter."""
        return ZoneInfo(self.identity.time_zone)

    @cached_property
    def plain_path(self) -> str | None:
        """The envelope sender of every email; None if each delivery has its own."""
        return plain_return_path(self.settings, self.relay)

    @cached_property
    def path_domain(self) -> str:
        """The domain of signed envelope senders."""
        return self.settings.return_path_domain or self.identity.sender_domain

    @cached_property
    def keys(self) -> tuple[DKIMKey, ...]:
        """The DKIM keys. Raises InputError if a file has changed and cannot be used."""
        return load_keys(self.settings, self.identity.sender_domain, self.first_domain)

    @property
    def missing_key(self) -> str | None:
        """A sentence that says what to do if emails are not signed, but those of other domains are."""
        domain = self.identity.sender_domain
        if not lacks_key(self.settings, domain, self.first_domain):
            return None
        return missing_key(self.identity.name, domain)


def with_backups(senders: Sequence[Sender]) -> list[Sender]:
    """Return the senders, each followed by the one through its backup relay if it has one."""
    return [each for first in senders for each in (first, first.backup) if each is not None]


class Senders:
    """The senders of all newsletters, as this process last read them. Threads may share it."""

    def __init__(self, settings: Settings, identities: Identities) -> None:
        self._settings = settings
        self._identities = identities
        self._known: Mapping[int, Sender] = {}

    def of(self, session: Session, newsletter_id: int | None) -> Sender:
        """Return the sender of a newsletter; of the first one if None. Raises NotFound."""
        first = self._identities.of(session, FIRST_NEWSLETTER)
        identity = self._identities.of(session, newsletter_id)
        return self._made(identity, first.sender_domain)

    def every(self, session: Session) -> list[Sender]:
        """Return the senders of all newsletters, by id."""
        first = self._identities.of(session, FIRST_NEWSLETTER)
        return [self._made(each, first.sender_domain) for each in self._identities.every(session)]

    def with_backups(self, session: Session) -> list[Sender]:
        """Return the senders of all newsletters, and those through backup relays."""
        return with_backups(self.every(session))

    def at_relay(self, session: Session, relay: Relay) -> list[Sender]:
        """Return the senders that use a relay, also as a backup."""
        return [each for each in self.with_backups(session) if each.relay.key == relay.key]

    def relays(self, session: Session) -> dict[str, Relay]:
        """Return the relays that the newsletters use, also as a backup, by key."""
        return {each.relay.key: each.relay for each in self.with_backups(session)}

    def _made(self, identity: Identity, first_domain: str) -> Sender:
        known = self._known.get(identity.newsletter_id)
        if known is None or known.identity is not identity or known.first_domain != first_domain:
            known = Sender(self._settings, identity, first_domain)
            self._known = {**self._known, identity.newsletter_id: known}
        return known
