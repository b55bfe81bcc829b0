"""Tell the owner which of our settings the relay refuses, and what to change."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.messages.sender import Sender
from newsletter.notices import NoticeKind, find_open, settle, tell_owner
from newsletter.settings import variable
from newsletter.smtp.refusals import SetupFault

KINDS = {
    SetupFault.SENDER: NoticeKind.SENDER_REFUSED,
    SetupFault.HELLO: NoticeKind.HELLO_REFUSED,
    SetupFault.ACCOUNT: NoticeKind.ACCOUNT_REFUSED,
}


def remedy(fault: SetupFault, sender: Sender) -> str:
    """Return a sentence that says what to change for a fault."""
    if fault is SetupFault.HELLO:
        return (
            f"Set {variable('ehlo_name')} to a name that the relay takes, such as one that DNS knows for "
            f"this host; now it is {sender.settings.local_name}."
        )
    if fault is SetupFault.ACCOUNT:
        return (
            f"Check user name, password and protection in {variable('relay')} (or {variable('relays')}), or "
            f"what {variable('relay_token_command')} prints."
        )
    name, address = sender.identity.name, sender.identity.from_address
    if sender.plain_path is None:
        return (
            f"Set {variable('return_path')} to the address of your account at the relay, and check that the "
            f"account may send as {address}, the From address of “{name}”."
        )
    return (
        f"Set {variable('return_path')}, and the From address of “{name}” (now {address}), to addresses that "
        "your account at the relay may send as."
    )


def what_is_refused(fault: SetupFault, sender: Sender) -> str:
    """Return what the relay refuses, in words that follow "the relay refuses"."""
    address = f"{sender.identity.from_address}, the sender of “{sender.identity.name}”,"
    return {
        SetupFault.SENDER: address,
        SetupFault.HELLO: "our name in EHLO",
        SetupFault.ACCOUNT: "our account",
    }[fault]


def _subject_of(sender: Sender, fault: SetupFault) -> str:
    """Return the subject of a notice. It stays the same when the From address is edited."""
    if fault is SetupFault.SENDER:
        return f"newsletter {sender.newsletter_id}" + (", backup relay" if sender.by_backup else "")
    return f"{sender.relay.host}:{sender.relay.port}"


def tell(
    session: Session, sender: Sender, fault: SetupFault, said: str, now: datetime, *, told_lately: bool
) -> None:
    """Tell the owner that a wait begins, without a second email if it was told lately. Commits nothing."""
    kind, subject = KINDS[fault], _subject_of(sender, fault)
    detail = {
        "relay": f"{sender.relay.host}:{sender.relay.port}",
        "newsletter": sender.identity.name,
        "address": sender.identity.from_address,
        "said": said,
        "mend": remedy(fault, sender),
    }
    is_new = tell_owner(session, kind, subject, now, **detail)
    if is_new and told_lately and (notice := find_open(session, kind, subject)) is not None:
        notice.emailed_at = now


def settle_all(session: Session, sender: Sender, fault: SetupFault, now: datetime) -> None:
    """Close the notices about a wait that ends. Commits nothing."""
    for kind in KINDS.values():
        settle(session, kind, _subject_of(sender, fault), now)
