"""The interface through which the outbox sends, and its transport over SMTP."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.outcomes import Hooks, Outgoing, Result
from newsletter.smtp.pool import Pool


class Transport(Protocol):
    """The interface through which the outbox sends messages."""

    def send(self, messages: Iterable[Outgoing | None], hooks: Hooks | None = None) -> Iterator[Result]:
        """Send `messages`; yield one result for each message taken.

        None among the messages means that there is nothing to send at the moment. Raises TransportError
        when nothing more can be sent, after every message taken has its result.
        """

    def reach(self) -> None:
        """Connect, or find an open connection. Raises TransportError if that fails."""

    def close_idle(self) -> None:
        """Close connections that have been idle for too long. The caller does this from time to time."""

    def close(self) -> None:
        """Close every connection. The transport can be used again afterwards."""


class SMTPTransport:
    """Sends messages to a relay, over a pool of connections."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._pool = Pool(endpoint)

    def send(self, messages: Iterable[Outgoing | None], hooks: Hooks | None = None) -> Iterator[Result]:
        """Send over the pool; see `Pool.send`."""
        return self._pool.send(messages, hooks)

    def reach(self) -> None:
        """Connect; see `Pool.reach`."""
        self._pool.reach()

    def close_idle(self) -> None:
        """Close connections that were idle for the endpoint's `idle_seconds`."""
        self._pool.close_idle()

    def close(self) -> None:
        """Send QUIT on every connection."""
        self._pool.close()
