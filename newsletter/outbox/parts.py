"""The parts of an installation (a Runtime) that a drain needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from newsletter.messages.build import MessageMaker
from newsletter.messages.digests.render import DigestRenderer
from newsletter.settings import Settings


class Parts(Protocol):
    """The parts of an installation that a drain needs."""

    @property
    def settings(self) -> Settings: ...
    @property
    def messages(self) -> MessageMaker: ...
    @property
    def renderer(self) -> DigestRenderer: ...
    @property
    def now(self) -> Callable[[], datetime]: ...
    def session(self) -> Session: ...
    def reading(self) -> Session: ...
