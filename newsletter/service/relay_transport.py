"""Open the SMTP transports to the relays that the settings name."""

from __future__ import annotations

import os

from newsletter.settings import Relay, Settings
from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.transport import SMTPTransport


class Transports:
    """The transports of one process, one for each relay. Each connects when it first sends."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: dict[Relay, SMTPTransport] = {}

    def to(self, relay: Relay) -> SMTPTransport:
        """Return the transport to a relay."""
        if relay not in self._open:
            self._open[relay] = SMTPTransport(make_endpoint(self._settings, relay))
        return self._open[relay]

    def close(self) -> None:
        """Close every connection."""
        for transport in self._open.values():
            transport.close()


def make_endpoint(settings: Settings, relay: Relay) -> Endpoint:
    """Return the settings for connections to a relay from one process of this host."""
    # A relay may check that the name resolves, and the host of the public URL is one that does.
    usual = Endpoint(relay, local_name=settings.local_name)
    most = usual.max_connections
    if relay.max_connections is not None:
        # The processes that send digests, and the one that sends single emails.
        sharing = (settings.send_workers or os.cpu_count() or 1) + 1
        most = max(1, relay.max_connections // sharing)
    ca_file = str(settings.relay_ca_file) if settings.relay_ca_file else None
    return Endpoint(
        relay,
        local_name=usual.local_name,
        ca_file=ca_file,
        token_command=settings.relay_token_command,
        max_connections=most,
    )
