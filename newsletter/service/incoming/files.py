"""Read incoming messages from standard input, files, mbox files, or the new messages of a Maildir."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from newsletter.errors import InputError
from newsletter.service.incoming.apply import LARGEST_MAIL_BYTES

# The start of the line before each message in an mbox file.
MBOX_LINE = b"From "
LONGEST_PIECE_BYTES = 64 * 1024
# The envelope variables that Postfix's local(8) and Exim's pipe transport set for a program.
_RECIPIENTS = ("ORIGINAL_RECIPIENT", "RECIPIENT")


@dataclass(frozen=True)
class MailFile:
    """One incoming message: its name for people, its bytes, its recipients, its file in a Maildir."""

    name: str
    raw: bytes
    recipients: tuple[str, ...] = ()
    new_in: Path | None = None

    def settle(self) -> None:
        """Move a new message of a Maildir to `cur`, marked as seen. Other files stay where they are."""
        if self.new_in is not None:
            seen = self.new_in.parent.parent / "cur"
            seen.mkdir(mode=0o700, exist_ok=True)
            self.new_in.rename(seen / f"{self.new_in.name.partition(':')[0]}:2,S")


def mails_of(name: str, environ: Mapping[str, str]) -> Iterator[MailFile]:
    """Yield the messages that a FILE, DIR or - of the command line holds.

    Raises InputError if the file does not exist, or a folder is not a Maildir.
    """
    if name == "-":
        # Bytes that are no text become question marks: none of our addresses contains any.
        told = (environ.get(each, "").encode("utf-8", "replace").decode() for each in _RECIPIENTS)
        yield MailFile(name, _read(sys.stdin.buffer), tuple(each for each in told if each))
        return
    path = Path(name)
    if path.is_dir():
        yield from _new_of(path)
        return
    try:
        with path.open("rb") as file:
            if file.peek(len(MBOX_LINE)).startswith(MBOX_LINE):
                yield from _of_mbox(name, file)
            else:
                yield MailFile(name, _read(file))
    except OSError as fault:
        raise InputError(f"{name}: {fault.strerror}") from fault


def _of_mbox(name: str, file: BinaryIO) -> Iterator[MailFile]:
    """Yield the messages of an mbox file (RFC 4155). Its lines of the form "From ..." stand between them."""
    kept, number, after_blank, whole = bytearray(), 0, False, True
    # A line may have no end, so it is read in pieces. `whole` says whether a piece begins a line.
    while piece := file.readline(LONGEST_PIECE_BYTES):
        if whole and piece.startswith(MBOX_LINE) and after_blank and kept:
            number += 1
            yield MailFile(f"{name}#{number}", bytes(kept))
            kept.clear()
        after_blank = whole and piece in (b"\n", b"\r\n")
        whole = piece.endswith(b"\n")
        kept += piece[: LARGEST_MAIL_BYTES - len(kept)]
    yield MailFile(f"{name}#{number + 1}" if number else name, bytes(kept))


def _new_of(folder: Path) -> Iterator[MailFile]:
    new = folder / "new"
    if not new.is_dir():
        raise InputError(f"{folder} is not a Maildir: it has no folder named new")
    for path in sorted(new.iterdir()):
        if path.name.startswith("."):
            continue
        try:
            with path.open("rb") as file:
                mail = MailFile(str(path), _read(file), new_in=path)
        except (FileNotFoundError, IsADirectoryError):
            continue  # another process has taken it
        yield mail


def _read(file: BinaryIO) -> bytes:
    """Return the first part of a message. Read the rest too: a program that writes to a pipe needs it."""
    raw = file.read(LARGEST_MAIL_BYTES)
    while file.read(1 << 16):
        pass
    return raw
