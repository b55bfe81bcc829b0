"""The relay of the settings, ready to send through."""

from __future__ import annotations

from newsletter.settings import Settings
from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.transport import SMTPTransport


def open_transport(settings: Settings) -> SMTPTransport:
    """Return what hands mail to the relay of the settings; it connects when it first sends."""
    # A relay may check that the name resolves, and the public URL's is the one we know to.
    return SMTPTransport(Endpoint(settings.relay, local_name=settings.host or "localhost"))
