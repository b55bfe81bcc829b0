"""The demo's mail catcher: accepts every email by SMTP, delivers none, keeps the newest in a Maildir."""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

from newsletter.service.logs import configure_logging
from newsletter.web.mailbox.stored_emails import forget_oldest, mailbox_folder

HOST = "127.0.0.1"
KEPT_MAILS = 500
LARGEST_MAIL_BYTES = 10 * 1024 * 1024

log = logging.getLogger(__name__)


def keep(folder: Path, envelope_from: str, recipient: str, content: bytes) -> str:
    """Write an email into the Maildir with its envelope on top, by a rename; return its file name.

    Line ends stay CRLF, so that a signature over the lines stays valid.
    """
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    name = uuid.uuid4().hex
    envelope = f"Return-Path: <{envelope_from}>\r\nDelivered-To: {recipient}\r\n"
    fresh = folder / "tmp" / name
    fresh.write_bytes(envelope.encode() + content)
    fresh.rename(folder / "new" / name)
    return name


class Keeper:
    """The handler that aiosmtpd calls for each message."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        """Store the email once for each recipient."""
        content = envelope.original_content or b""
        for recipient in envelope.rcpt_tos:
            keep(self._folder, _one_line(envelope.mail_from or ""), _one_line(recipient), content)
        forget_oldest(self._folder, KEPT_MAILS)
        log.info("event=mail_caught bytes=%d", len(content))
        return "250 2.0.0 kept"


def _one_line(address: str) -> str:
    return "".join(char for char in address if char.isprintable())


async def catch(folder: Path, port: int) -> None:
    """Serve until the process ends. Raises OSError if the port is in use."""

    def conversation() -> SMTP:
        return SMTP(
            Keeper(folder),
            data_size_limit=LARGEST_MAIL_BYTES,
            enable_SMTPUTF8=True,
            hostname="catcher.localhost",
            ident="the newsletter's demo; nothing is delivered",
        )

    server = await asyncio.get_running_loop().create_server(conversation, HOST, port)
    async with server:
        await server.serve_forever()


def run_catcher(folder: Path, port: int) -> None:
    """Run the catcher of the demo with this data folder. Raises OSError if the port is in use."""
    os.umask(0o077)
    configure_logging()
    # At its usual level, aiosmtpd logs every command with its addresses.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    asyncio.run(catch(mailbox_folder(folder), port))
