"""Mailboxes that reports come to: how far each was read, and single messages of it."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.models.base import Base, BigId


class MailboxPlace(Base):
    """How far a mailbox was read. `key` is a hash of its server, account and folder.

    Every message up to `mark`, a UID of IMAP, was looked at. It counts only as long as the folder has the
    same `validity` (RFC 3501, section 2.3.1.1). POP3 has neither, so both are 0.
    """

    __tablename__ = "mailbox_place"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    validity: Mapped[int] = mapped_column(BigInteger)
    mark: Mapped[int] = mapped_column(BigInteger)


class MailboxMessage(Base):
    """A message that is remembered by its UID: to be read again (`later`), or dealt with (POP3)."""

    __tablename__ = "mailbox_message"

    place_id: Mapped[int] = mapped_column(ForeignKey("mailbox_place.id"), primary_key=True)
    uid: Mapped[str] = mapped_column(String(70), primary_key=True)
    later: Mapped[bool]
