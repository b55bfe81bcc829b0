"""Open the SMTP transport to the relay that the settings name."""

from __future__ import annotations

import os

from newsletter.settings import Settings, choose_relay
from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.transport import SMTPTransport


def open_transport(settings: Settings) -> SMTPTransport:
    """Return the transport to the relay of our From address. It connects when it first sends."""
    return SMTPTransport(make_endpoint(settings, settings.from_address))


def make_endpoint(settings: Settings, from_address: str) -> Endpoint:
    """Return the relay for emails from `from_address`, and how one process of this host uses it."""
    relay = choose_relay(settings, from_address)
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
