"""What is to be known of a relay before talking to it: where it is, how, for how long, how much."""

from __future__ import annotations

import functools
import ipaddress
import re
import ssl
from dataclasses import dataclass, field

from newsletter.settings import Relay, RelaySecurity

_NAME = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")


@dataclass(frozen=True)
class Timeouts:
    """Seconds to wait for each answer (RFC 5321, section 4.5.3.2, whose minimums these are).

    Each counts for a whole reply, so a relay cannot hold us by sending a byte at a time. `block` is
    for each piece of a message that the relay takes. `sign_in` is for EHLO, STARTTLS and AUTH.
    """

    connect: float = 30
    greeting: float = 300
    sign_in: float = 300
    mail: float = 300
    rcpt: float = 300
    data: float = 120
    block: float = 180
    content: float = 600
    quit: float = 2


@dataclass(frozen=True)
class Endpoint:
    """A relay of the settings, and how to behave towards it.

    `local_name` is ours in EHLO. `ca_file` holds the certificates to trust instead of the system's.
    `token_command` prints an access token, for a relay that has a user name and no password.
    `max_connections` is for one process; a connection is retired after `max_messages` messages and
    closed when nothing was sent over it for `idle_seconds`.
    """

    relay: Relay
    local_name: str = "localhost"
    ca_file: str | None = None
    token_command: str | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    max_connections: int = 20
    max_messages: int = 1000
    idle_seconds: float = 30

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.local_name):
            raise ValueError(f"{self.local_name!r} is not a name to say EHLO with")

    @property
    def name(self) -> str:
        """host:port, for messages to people and logs."""
        return f"{self.relay.host}:{self.relay.port}"

    @property
    def loopback(self) -> bool:
        """Whether the relay is this machine."""
        if self.relay.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.relay.host).is_loopback
        except ValueError:
            return False

    @property
    def encrypted(self) -> bool:
        """Whether the conversation is to be under TLS."""
        return self.relay.security is not RelaySecurity.NONE

    def tls_context(self) -> ssl.SSLContext:
        """Return the context that checks the relay's certificate and name; OSError without the file."""
        return _tls_context(self.ca_file)


@functools.lru_cache(maxsize=16)
def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    # Reading the system's certificates takes longer than a whole conversation: once a process.
    return ssl.create_default_context(cafile=ca_file)
