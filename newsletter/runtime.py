"""The objects that edges pass to the stages: settings, clock, tokens, links, templates, database engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from newsletter.clock import utcnow
from newsletter.identity import Identities
from newsletter.links import Links
from newsletter.mail.templates import TemplateSet
from newsletter.messages.build import MessageMaker
from newsletter.messages.digests.render import DigestRenderer
from newsletter.messages.sender import Sender
from newsletter.models import open_engine
from newsletter.settings import Settings
from newsletter.tokens import Tokens


def data_folder(name: str) -> Path:
    """Return the path of `templates` or `migrations`: inside the wheel, or in the checkout."""
    package = Path(__file__).parent
    packed = package / "_data" / name
    return packed if packed.is_dir() else package.parent / name


@cache
def email_templates() -> TemplateSet:
    """Return the templates of emails. Each is compiled once in a process."""
    return TemplateSet(data_folder("templates") / "email")


def no_wake(lane: str) -> None:
    """Do nothing: the sweep finds the work. For the command line and for tests."""


@dataclass(frozen=True)
class Runtime:
    """The shared objects of one installation, made once for each process."""

    settings: Settings
    now: Callable[[], datetime] = utcnow
    # Asks the workers to send a lane's deliveries at once. It must never raise.
    wake: Callable[[str], None] = field(default=no_wake)

    @cached_property
    def tokens(self) -> Tokens:
        """Make and read signed links."""
        return Tokens(self.settings.secret_keys, self.settings.confirm_days)

    @cached_property
    def links(self) -> Links:
        """Build public URLs."""
        return Links(self.settings.public_url)

    @cached_property
    def templates(self) -> TemplateSet:
        """The templates of emails."""
        return email_templates()

    @property
    def identities(self) -> Identities:
        """Names, senders, languages and looks of the newsletters."""
        return self.messages.identities

    def senders(self) -> list[Sender]:
        """Return how the emails of each newsletter are sent, as of a second ago at most, by id."""
        found = self.identities.recent_ones(self.reading)
        return [Sender(self.settings, each, found[0].sender_domain) for each in found]

    def sender(self, newsletter_id: int) -> Sender:
        """Return how the emails of one newsletter are sent, as `senders` does. Raises NotFound."""
        identity = self.identities.recent(self.reading, newsletter_id)
        return Sender(self.settings, identity, self.identities.recent(self.reading).sender_domain)

    @cached_property
    def messages(self) -> MessageMaker:
        """Build messages from deliveries."""
        return MessageMaker(self.settings, self.tokens, self.links, self.templates)

    @cached_property
    def renderer(self) -> DigestRenderer:
        """Render issues."""
        return DigestRenderer(self.templates, self.links, self.settings)

    @cached_property
    def engine(self) -> Engine:
        """The database engine for code outside a request."""
        return open_engine(self.settings.database)

    def session(self) -> Session:
        """Return a new session that may write; the caller commits and closes it."""
        return Session(self.engine)

    def reading(self) -> Session:
        """Return a new session that only reads. On SQLite it does not block writers."""
        return Session(self._reading_engine)

    @cached_property
    def _reading_engine(self) -> Engine:
        return self.engine.execution_options(sqlite_begin="DEFERRED")
