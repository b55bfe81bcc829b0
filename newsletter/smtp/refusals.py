"""A table of replies that refuse our settings (sender, EHLO name, account), not the recipient. Pure.

A relay that refuses our sender, our EHLO name or our account refuses every message for the same reason. So
no delivery is rejected for such a reply: sending waits until the settings are fixed
(outbox/pacing/setup/wait.py).

The table matches the text, because the codes are not specific: a spam filter says 550 5.7.1 too. Each row
has an example of the words of one kind of relay. `tests/smtp/test_refusals.py` tests every example.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection
from typing import NamedTuple

from newsletter.errors import RelayRefused
from newsletter.smtp.outcomes import Fate, Outcome, Step
from newsletter.smtp.replies import Reply

# The journal keeps 400 characters, with addresses replaced. The same decision must follow from that text.
_CONSIDERED = 300


class SetupFault(enum.StrEnum):
    """The part of our settings that the relay refuses.

    SENDER: the address in MAIL FROM or in the From header.
    HELLO: our name in EHLO.
    ACCOUNT: our account; the relay refused the sign-in, or requires one.
    """

    SENDER = "sender"
    HELLO = "hello"
    ACCOUNT = "account"


class Sign(NamedTuple):
    """A row of the table: a reply at one of `steps`, with one of `codes` and these `words`, means `fault`."""

    fault: SetupFault
    steps: Collection[Step]
    codes: Collection[int]
    words: re.Pattern[str]
    example: str


def _sign(
    fault: SetupFault, steps: Collection[Step], codes: Collection[int], words: str, example: str
) -> Sign:
    return Sign(fault, steps, codes, re.compile(words, re.IGNORECASE), example)


_MAIL = (Step.MAIL,)
_ENVELOPE = (Step.MAIL, Step.RCPT)
_ANY = tuple(Step)
_FOR_GOOD = range(500, 600)
# If a relay's DNS look-up of our domain fails, it may reply 4yz to every message, without end.
_ALL = (*range(430, 500), *range(500, 600))
# At MAIL a relay knows the sender, and the size and type of the message. The statuses for size and type are
# excluded here. So are those for the recipient's address and domain, which some relays use at MAIL too.
_WITHOUT_OTHER_REASON = r"^(?!5\.(?:[2-6]\.|1\.(?:[1-6]|10)(?!\d)))"
_S, _H, _A = SetupFault.SENDER, SetupFault.HELLO, SetupFault.ACCOUNT

SIGNS: tuple[Sign, ...] = (
    # Postfix rejects the sender at RCPT, unless smtpd_delay_reject is off.
    _sign(
        _S,
        _ENVELOPE,
        _ALL,
        r"sender address rejected",
        "553 5.7.1 <b-1-x@press.example>: Sender address rejected: not owned by user news@press.example",
    ),
    _sign(
        _S,
        _ANY,
        _FOR_GOOD,
        r"not owned by (?:auth |the )?user",
        "553 5.7.1 Sender address not owned by auth user",
    ),
    # Exchange and Office 365 check the sender at the end of DATA. Without this row, 5.2.252 would mean a
    # fault of the mailbox.
    _sign(
        _S,
        _ANY,
        _FOR_GOOD,
        r"\bSendAsDenied",
        "554 5.2.252 SendAsDenied; news@press.example not allowed to send as b-1-x@press.example",
    ),
    _sign(
        _S,
        _ANY,
        _FOR_GOOD,
        r"does not have permissions? to send as th(?:is|e) sender",
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
    ),
    # Exim.
    _sign(
        _S,
        _ENVELOPE,
        _ALL,
        r"sender verif(?:y|ication) failed",
        "550 Sender verify failed",
    ),
    _sign(
        _S,
        _MAIL,
        _FOR_GOOD,
        r"sender address must contain a domain|bad sender address",
        "501 <news>: sender address must contain a domain",
    ),
    _sign(
        _S,
        _MAIL,
        _ALL,
        r"^4\.1\.8\b|domain (?:of sender|not found|does not exist)|unresolvable|from domain",
        "451 4.1.8 Domain of sender address b-1-x@press.example does not resolve",
    ),
    # Fastmail, Apple, GMX and others check the From header after DATA.
    _sign(
        _S,
        _ANY,
        _FOR_GOOD,
        r"not (?:allowed|authori[sz]ed|permitted) to (?:send|use|relay) (?:\w+ )?(?:from|as|for|with)\b",
        "551 5.7.1 Not authorised to send from this header address",
    ),
    _sign(
        _S,
        _ANY,
        _FOR_GOOD,
        r"from address is not one of your|from:? (?:header|address) (?:is )?not (?:yours|allowed)",
        "550 5.7.0 From address is not one of your addresses",
    ),
    _sign(
        _S,
        _ANY,
        _FOR_GOOD,
        r"sender address (?:is )?not (?:allowed|authori[sz]ed|permitted|valid)",
        "550 Requested action not taken: Sender address is not allowed",
    ),
    _sign(
        _S,
        _ANY,
        _FOR_GOOD,
        r"sender\b[^.;]{0,40} does ?n[o']t (?:match|belong)",
        "550 5.7.0 Sender address does not belong to logged in user",
    ),
    _sign(
        _S,
        _ANY,
        _FOR_GOOD,
        r"sender (?:is )?not allowed to (?:relay|send)|relaying disallowed as",
        "553 Relaying disallowed as b-1-x@press.example",
    ),
    # Sending services, which require that an address or a domain is verified first.
    _sign(
        _S,
        _ANY,
        _FOR_GOOD,
        r"does not match a verified sender identity",
        "550 The from address does not match a verified Sender Identity. Mail cannot be sent",
    ),
    _sign(
        _S,
        _ANY,
        _FOR_GOOD,
        r"address is not verified|identit(?:y|ies) failed the check",
        "554 Message rejected: Email address is not verified. The following identities failed the check",
    ),
    _sign(
        _S,
        _ANY,
        _ALL,
        r"sender (?:domain |signature |address )?(?:is )?(?:not |un)(?:verified|found|confirmed)",
        "550 From header sender domain not verified",
    ),
    _sign(
        _S,
        _ANY,
        _FOR_GOOD,
        r"unconfigured sending domain|domain [^ ]* ?is not allowed to send|invalid mail from",
        "550 5.7.1 Unconfigured Sending Domain press.example",
    ),
    _sign(
        _S,
        _ANY,
        _FOR_GOOD,
        r"sender (?:address )?(?:is )?unvalidated|mail from invalid|must (?:equal|be equal to) auth",
        "553 Mail from must equal authorized user",
    ),
    # EHLO. Postfix rejects it at RCPT too.
    _sign(
        _H,
        _ANY,
        _ALL,
        r"\b(?:helo|ehlo) command rejected",
        "504 5.5.2 <127.0.0.1>: Helo command rejected: need fully-qualified hostname",
    ),
    _sign(
        _H,
        _ANY,
        _ALL,
        r"(?:invalid|bad|malformed|bogus|unresolvable|forged)\W+(?:\w+ ){0,3}(?:helo|ehlo)\b",
        "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)",
    ),
    _sign(
        _H,
        _ANY,
        _ALL,
        r"\b(?:helo|ehlo)\b[^.;]{0,30}(?:invalid|malformed|not acceptable|does not resolve)",
        "550 5.7.1 HELO name is invalid",
    ),
    # The account: the relay wants a sign-in, or does not relay for us.
    _sign(
        _A,
        _ENVELOPE,
        (530,),
        r"",
        "530 5.7.0 Authentication required",
    ),
    _sign(
        _A,
        _ANY,
        _FOR_GOOD,
        r"authentication (?:is )?required|must (?:first )?(?:authenticate|log ?in)|not authenticated",
        "550 5.7.1 Authentication required",
    ),
    _sign(
        _A,
        _ENVELOPE,
        _ALL,
        r"\brelay(?:ing)?(?: access)? (?:is )?(?:denied|prohibited|not (?:permitted|allowed))"
        r"|unable to relay",
        "554 5.7.1 <ann@example.org>: Relay access denied",
    ),
    _sign(
        _A,
        _ENVELOPE,
        _FOR_GOOD,
        r"client host rejected: access denied",
        "554 5.7.1 <host.example[192.0.2.7]>: Client host rejected: Access denied",
    ),
    # Any other refusal at MAIL. This is last, because the rows above are more specific.
    _sign(
        _S,
        _MAIL,
        (501, 550, 551, 553, 554),
        _WITHOUT_OTHER_REASON,
        "550 5.7.1 Not authorized",
    ),
)

# The relay quotes another server's reply about one recipient. That server may write anything.
_ANOTHERS_WORDS = re.compile(
    r"\bsaid:|recipient address rejected|recipient verif|call-?(?:out|back|ahead|forward)"
    r"|\bremote (?:host|server)",
    re.IGNORECASE,
)
# Limits and greylisting, which pass without a change of settings.
_FOR_NOW = re.compile(r"gr[ae]y-? ?list|\blimit|\bquota|\brate\b|too (?:many|much|fast)", re.IGNORECASE)


def setup_fault(outcome: Outcome) -> SetupFault | None:
    """Return the part of our settings that the reply to a message refuses, or None."""
    reply = outcome.reply
    if outcome.fate is not Fate.REPLIED or reply is None or reply.local or outcome.step is None:
        return None
    return reply_fault(outcome.step, reply)


def reply_fault(step: Step, reply: Reply) -> SetupFault | None:
    """Return the part of our settings that `reply`, given at `step`, refuses, or None."""
    if not (reply.transient or reply.permanent):
        return None
    said = " ".join(reply.text.split())[:_CONSIDERED]
    if step is not Step.MAIL and _ANOTHERS_WORDS.search(said):
        return None
    if reply.transient and _FOR_NOW.search(said):
        return None
    for sign in SIGNS:
        if step in sign.steps and reply.code in sign.codes and sign.words.search(said):
            return sign.fault
    return None


def connect_fault(refused: RelayRefused) -> SetupFault | None:
    """Return the part of our settings that a relay refused before the first envelope, or None.

    A 4yz reply is temporary. A refused greeting is about the relay's own state or our IP address.
    """
    if not 500 <= refused.code < 600:
        return None
    return {"hello": SetupFault.HELLO, "sign-in": SetupFault.ACCOUNT}.get(refused.step)
