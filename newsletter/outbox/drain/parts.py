"""The parts of an installation (a Runtime) that a drain needs."""

from __future__ import annotations

from typing import Protocol

from newsletter.messages.digests.render import DigestRenderer
from newsletter.outbox.pacing import allowance
from newsletter.settings import Settings


class Parts(allowance.Parts, Protocol):
    """What a drain needs beside the parts that its allowance needs."""

    @property
    def settings(self) -> Settings: ...
    @property
    def renderer(self) -> DigestRenderer: ...
