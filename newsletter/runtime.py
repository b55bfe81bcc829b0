"""The parts that the edges hand down: settings, clock, tokens, links, templates, database, engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from newsletter.clock import utcnow
from newsletter.digest.render import DigestRenderer
from newsletter.links import Links
from newsletter.mail.templates import TemplateSet
from newsletter.messages.build import MessageMaker
from newsletter.models import open_engine
from newsletter.settings import Settings
from newsletter.tokens import Tokens


def data_folder(name: str) -> Path:
    """Return where `templates` or `migrations` lie: in the wheel, or beside the package in a checkout."""
    package = Path(__file__).parent
    packed = package / "_data" / name
    return packed if packed.is_dir() else package.parent / name


def nobody_to_wake(lane: str) -> None:
    """Wake nobody: the sweep finds the work. For the command line and for tests."""


@dataclass(frozen=True)
class Runtime:
    """One installation's parts, made once for each process."""

    settings: Settings
    now: Callable[[], datetime] = utcnow
    # Asks the engine to drain a lane at once; must never fail.
    wake: Callable[[str], None] = field(default=nobody_to_wake)

    @cached_property
    def tokens(self) -> Tokens:
        """Signed links."""
        return Tokens(self.settings.secret_keys, self.settings.confirm_days)

    @cached_property
    def links(self) -> Links:
        """Public URLs."""
        return Links(self.settings.public_url)

    @cached_property
    def templates(self) -> TemplateSet:
        """The mails' templates."""
        return TemplateSet(data_folder("templates") / "email")

    @cached_property
    def messages(self) -> MessageMaker:
        """What turns deliveries into messages."""
        return MessageMaker(self.settings, self.tokens, self.links, self.templates)

    @cached_property
    def renderer(self) -> DigestRenderer:
        """What renders issues."""
        settings = self.settings
        return DigestRenderer(
            self.templates, self.links, self.messages.site, settings.time_zone, settings.languages
        )

    @cached_property
    def engine(self) -> Engine:
        """The database, for whoever is not a request."""
        return open_engine(self.settings.database)

    def session(self) -> Session:
        """Return a new session that may write; the caller commits and closes it."""
        return Session(self.engine)

    def reading(self) -> Session:
        """Return a new session that only reads: on SQLite it stands in no writer's way."""
        return Session(self.engine.execution_options(sqlite_begin="DEFERRED"))
