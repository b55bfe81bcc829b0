"""Read the emails that the demo's catcher stored. Their contents are not trusted."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import cast
from urllib.parse import unquote

# The allowed names of a Maildir file. None of them leaves the folder.
NAME = re.compile(r"[A-Za-z0-9._\-]{1,200}")
# A full stop or a bracket after a URL belongs to the sentence.
URL = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)\]']")
LEAVE = re.compile(r"<mailto:([^<>?,\s]{1,320})(?:\?[^<>]*)?>", re.IGNORECASE)


def mailbox_folder(data_dir: Path) -> Path:
    """Return the Maildir of this data folder's catcher."""
    return data_dir / "mailbox"


@dataclass(frozen=True)
class Piece:
    """A piece of plain text. `url` is set if it is a web address that may become a link."""

    text: str
    url: str | None = None


@dataclass(frozen=True)
class StoredEmail:
    """One email as an email program shows it. Every text in it came from outside: escape it."""

    id: str
    received_at: datetime
    raw: bytes
    message: EmailMessage

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return self._header("Subject") or "(no subject)"

    @property
    def sender(self) -> str:
        """The From header, decoded."""
        return self._header("From")

    @property
    def recipient(self) -> str:
        """The envelope's recipient, or else the To header."""
        return self._header("Delivered-To") or self._header("To")

    @property
    def leave_address(self) -> str | None:
        """The address in List-Unsubscribe (RFC 2369), None if there is none."""
        found = LEAVE.search("".join(self._header("List-Unsubscribe").split()))
        return None if found is None else unquote(found[1])

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Every header, in order, decoded."""
        return [(name, _readable(value)) for name, value in self.message.items()]

    @property
    def text(self) -> str | None:
        """The plain text, None if there is none."""
        return self._body("plain")

    @property
    def html(self) -> str | None:
        """The HTML, None if there is none."""
        return self._body("html")

    @property
    def pieces(self) -> list[Piece]:
        """The plain text, split so that web addresses are pieces of their own."""
        return list(_pieces(self.text or ""))

    @property
    def source(self) -> str:
        """The raw email, as far as it is readable text."""
        return self.raw.decode("utf-8", "replace")

    def _header(self, name: str) -> str:
        return _readable(self.message.get(name, ""))

    def _body(self, subtype: str) -> str | None:
        try:
            part = self.message.get_body(preferencelist=(subtype,))
            return None if part is None else str(cast("EmailMessage", part).get_content())
        except (LookupError, ValueError, KeyError, AttributeError):
            # An unknown charset, or a part that is not what it claims to be. The source can still be read.
            return None


def list_stored_emails(folder: Path, limit: int = 100) -> list[StoredEmail]:
    """Return the newest emails, the newest first."""
    found = (_read(path) for path in _newest(folder)[:limit])
    return [mail for mail in found if mail is not None]


def find_stored_email(folder: Path, mail_id: str) -> StoredEmail | None:
    """Return the email with that id, or None."""
    if not NAME.fullmatch(mail_id) or mail_id.startswith("."):
        return None
    return _read(folder / "new" / mail_id)


def forget_oldest(folder: Path, keep: int) -> None:
    """Delete all but the newest `keep` emails."""
    for path in _newest(folder)[keep:]:
        path.unlink(missing_ok=True)


def forget_recipient(folder: Path, addresses: Collection[str]) -> int:
    """Delete the emails whose text contains one of `addresses`; return how many."""
    names = [address.lower() for address in addresses]
    found = [path for path in _newest(folder) if _holds(path, names)]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _holds(path: Path, names: Collection[str]) -> bool:
    try:
        text = path.read_bytes().decode("utf-8", "replace").lower()
    except FileNotFoundError:
        return False
    return any(name in text for name in names)


def _newest(folder: Path) -> list[Path]:
    """Return the files of the emails, the newest first. Files deleted meanwhile are left out."""
    times: list[tuple[int, str, Path]] = []
    for path in (folder / "new").glob("*"):
        try:
            times.append((path.stat().st_mtime_ns, path.name, path))
        except FileNotFoundError:
            continue
    return [path for _, _, path in sorted(times, reverse=True)]


def _read(path: Path) -> StoredEmail | None:
    try:
        raw = path.read_bytes()
        received_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (FileNotFoundError, IsADirectoryError):
        return None
    message = message_from_bytes(raw, policy=policy.default)
    return StoredEmail(path.name, received_at, raw, message)


def _readable(value: object) -> str:
    return " ".join(str(value).split())


def _pieces(text: str) -> Iterator[Piece]:
    end = 0
    for found in URL.finditer(text):
        if found.start() > end:
            yield Piece(text[end : found.start()])
        yield Piece(found.group(), found.group())
        end = found.end()
    if end < len(text):
        yield Piece(text[end:])
