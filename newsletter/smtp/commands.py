"""Write MAIL FROM and RCPT TO commands and dot-stuff messages; refuse those the relay cannot take. Pure."""

from __future__ import annotations

import re

from newsletter.smtp.greeting import Extensions
from newsletter.smtp.outcomes import Envelope, Step, WholeLines
from newsletter.smtp.replies import Reply

# Such an address cannot end the path or the command. White space and angle brackets are allowed in quotes
# only (RFC 5321, section 4.1.2), control characters nowhere.
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f-\x9f]|\\[^\x00-\x1f\x7f-\x9f])*"'
_ATOMS = r'[^\s"(),:;<>@\[\\\]\x00-\x20\x7f-\x9f]+'
_LITERAL = r"\[[A-Za-z0-9.:-]+\]"
_PATH = re.compile(rf"(?:{_QUOTED}|{_ATOMS})@(?:{_ATOMS}|{_LITERAL})")
_MAX_PATH_BYTES = 320
_NOTIFY = re.compile(r"NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}")

# CPython runs these searches at the speed of memchr. Counting or splitting takes twice as long.
_BARE_LF = re.compile(rb"\n(?<!\r\n)")
_BARE_CR = re.compile(rb"\r(?!\n)")
_BARE_CR_OR_DOT = re.compile(rb"\r(?!\n(?!\.))")


def stuff_dots(message: bytes) -> bytes:
    """Return `message` as it is sent after 354, without the final dot (RFC 5321, section 4.5.2).

    Raises ValueError for a bare CR or LF. Some relays take it for the end of a line and others do not, so
    they could disagree about where the message ends (SMTP smuggling).
    """
    if isinstance(message, WholeLines):
        return message
    if _BARE_LF.search(message):
        raise ValueError("the message has an LF without a CR before it")
    if _BARE_CR_OR_DOT.search(message):
        if _BARE_CR.search(message):
            raise ValueError("the message has a CR without an LF after it")
        message = message.replace(b"\r\n.", b"\r\n..")
    if message.startswith(b"."):
        message = b"." + message
    if message and not message.endswith(b"\r\n"):
        message += b"\r\n"
    return message


def envelope_commands(
    envelope: Envelope, content: bytes, offered: Extensions
) -> tuple[bytes, bytes] | tuple[Step, Reply]:
    """Return MAIL and RCPT for `content`, or the step and the local reply that refuse it.

    Raises ValueError for a return path or an envelope id that cannot be written: we make both ourselves.
    """
    if envelope.return_path and not _is_path(envelope.return_path):
        raise ValueError(f"{envelope.return_path!r} cannot be a return path")
    if not _is_path(envelope.recipient):
        return Step.RCPT, Reply.made_here(553, "5.1.3 this is not an address that can be mailed")
    mail = ["MAIL FROM:<", envelope.return_path, ">"]
    rcpt = ["RCPT TO:<", envelope.recipient, ">"]
    if offered.size is not None:
        if len(content) > offered.size:
            text = f"5.3.4 the message has {len(content)} bytes, and the relay takes {offered.size}"
            return Step.MAIL, Reply.made_here(552, text)
        mail.append(f" SIZE={len(content)}")
    international = not (envelope.recipient.isascii() and envelope.return_path.isascii())
    # Checked before 8BITMIME: such an address makes the To header 8-bit too. The address is the real reason.
    if international and not offered.smtputf8:
        text = "5.6.7 the address is not in ASCII, and the relay takes no such addresses"
        return Step.RCPT, Reply.made_here(553, text)
    if not content.isascii():
        if not offered.eight_bit:
            return Step.MAIL, Reply.made_here(
                554, "5.6.3 the message has 8-bit text, and the relay takes none"
            )
        mail.append(" BODY=8BITMIME")
    if international:
        mail.append(" SMTPUTF8")
    if offered.dsn and envelope.notify:
        if not _NOTIFY.fullmatch(envelope.notify):
            raise ValueError(f"{envelope.notify!r} is not a NOTIFY of RFC 3461")
        mail.append(" RET=HDRS")
        if envelope.envelope_id:
            mail.append(f" ENVID={_xtext(envelope.envelope_id)}")
        rcpt.append(f" NOTIFY={envelope.notify}")
    return "".join([*mail, "\r\n"]).encode(), "".join([*rcpt, "\r\n"]).encode()


def _is_path(address: str) -> bool:
    if _PATH.fullmatch(address) is None:
        return False
    try:
        return len(address.encode()) <= _MAX_PATH_BYTES
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8 form
        return False


def _xtext(text: str) -> str:
    """Return `text` as xtext of RFC 3461, section 4."""
    if not text.isascii() or not text.isprintable() or len(text) > 100:
        raise ValueError(f"{text!r} cannot be an envelope id")
    return "".join(f"+{ord(c):02X}" if c in "+= " else c for c in text)
