"""The relay to connect to: its address, security, timeouts, and limits on connections and messages."""

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
    """Seconds to wait for each reply: the minimums of RFC 5321, section 4.5.3.2.

    Each is for a whole reply, so a relay cannot block us by sending one byte at a time. `block` is for each
    piece of a message that we write. `sign_in` is for EHLO, STARTTLS and AUTH.
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
    """A relay of the settings, with our EHLO name, certificates, timeouts and limits.

    `local_name` is our name in EHLO. `ca_file` holds the certificates to trust instead of the system's.
    `token_command` prints an access token, for a relay that has a user name and no password.
    `max_connections` is for one process. A connection is closed after `max_messages` messages, or when it
    was idle for `idle_seconds`.
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
    # Reading the system's certificates takes longer than sending a message, so it is done once a process.
    return ssl.create_default_context(cafile=ca_file)
