"""Empty reports that belong to no subscriber but name an erased person's address in their message."""

from __future__ import annotations

import zlib
from collections.abc import Collection

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter.models import ReturnedMail, is_one_of

AT_ONCE = 200


def empty_unmatched_reports(session: Session, addresses: Collection[str]) -> int:
    """Delete the messages and words of reports without a subscriber that name one of `addresses`.

    Returns how many. Commits nothing. At most a thousand such reports a day are kept. A message in base64 is
    not searched; retention deletes it.
    """
    wanted = [form.encode() for address in addresses for form in _forms(address.lower())]
    kept = (ReturnedMail.raw.is_not(None), ReturnedMail.subscriber_id.is_(None))
    query = select(ReturnedMail.id, ReturnedMail.raw).where(*kept).order_by(ReturnedMail.id).limit(AT_ONCE)
    last, naming = 0, []
    while rows := session.execute(query.where(ReturnedMail.id > last)).all():
        last = rows[-1].id
        for number, packed in rows:
            message = zlib.decompress(packed or b"").lower()
            if any(each in message for each in wanted):
                naming.append(number)
    emptied = update(ReturnedMail).where(is_one_of(session, ReturnedMail.id, naming))
    session.execute(emptied.values(raw=None, words="").execution_options(synchronize_session=False))
    return len(naming)


def _forms(address: str) -> tuple[str, ...]:
    """Return how a message may write an address: plain, in a URL, quoted-printable, or in a return path."""
    return tuple(address.replace("@", at) for at in ("@", "%40", "=40", "="))
