"""Parse and normalise email addresses, one form for sending and one for comparing; hash them. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, EmailSyntaxError, validate_email

from newsletter.errors import AddressInvalid
from newsletter.languages import translatable
from newsletter.tokens import keyed_digest

# RFC 5321, section 4.5.3.1: 64 octets before the @, 256 for the path with its angle brackets.
LONGEST_ADDRESS = 254
LONGEST_LOCAL_PART = 64

# Characters that are copied with an address from a page: spaces of every kind, zero-width characters.
_AROUND = " \t\r\n\v\f\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff"
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# Persian and Indic domains may hold these two. email-validator applies IDNA's rules for them.
_JOINERS = "\u200c\u200d"
# Japanese keyboards type these in place of ASCII: U+FF01 to U+FF5E. No mailbox is known to have them.
_FULL_WIDTH = {char: char - 0xFEE0 for char in range(0xFF01, 0xFF5F)}
_TRIM = re.compile(f"^[{_AROUND}]+|[{_AROUND}]+$")


@dataclass(frozen=True, slots=True)
class Address:
    """A valid email address.

    `text` is for envelopes and headers: the domain in ASCII (IDNA 2008), the local part as it was typed (in
    NFC). `canonical` is for comparing only: it ignores case and Unicode form.
    """

    text: str
    canonical: str

    @property
    def local_part(self) -> str:
        """The part before the @."""
        return self.text.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """The domain, lower case and in ASCII."""
        return self.text.rpartition("@")[2]

    @property
    def needs_smtputf8(self) -> bool:
        """Whether it needs a relay with SMTPUTF8 (RFC 6531). An IDN alone does not."""
        return not self.text.isascii()

    def __str__(self) -> str:
        return self.text


def parse_address(text: str) -> Address:
    """Return the address that a person typed, without white space around it.

    Full-width characters become ASCII. Nothing else is corrected.

    Raises AddressInvalid, with a sentence for the person who typed it. It refuses quoted local parts, domain
    literals, display names, and domains that cannot receive mail from the Internet (localhost, .test,
    .local). It does no DNS look-up.
    """
    # Checked first: anybody can send us long texts.
    if len(text) > 4 * LONGEST_ADDRESS:
        raise AddressInvalid(translatable("This is too long for an email address."))
    typed = _TRIM.sub("", text)
    folded = typed.translate(_FULL_WIDTH)
    # A full-width @ beside an ASCII one is part of the name.
    typed = folded if folded.count("@") == 1 else typed
    _refuse_the_obvious(typed)
    try:
        found = validate_email(
            typed,
            check_deliverability=False,
            allow_smtputf8=True,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            allow_empty_local=False,
            globally_deliverable=True,
            test_environment=False,
        )
    except EmailSyntaxError as fault:
        raise AddressInvalid(_slip(typed)) from fault
    except EmailNotValidError as fault:
        raise AddressInvalid(translatable("This domain cannot receive email.")) from fault
    local = unicodedata.normalize("NFC", found.local_part)
    address = f"{local}@{found.ascii_domain.lower()}"
    if len(local.encode()) > LONGEST_LOCAL_PART or len(address.encode()) > LONGEST_ADDRESS:
        raise AddressInvalid(translatable("This is too long for an email address."))
    return Address(address, canonical(address))


def _refuse_the_obvious(typed: str) -> None:
    if not typed:
        raise AddressInvalid(translatable("Please enter an email address."))
    # A line break would end an SMTP command or a header line. A character that changes the writing direction
    # would show another address than the one we send to.
    if any(unicodedata.category(char) in _INVISIBLE and char not in _JOINERS for char in typed):
        raise AddressInvalid(
            translatable("An email address has no invisible characters. Please type it again.")
        )
    if "@" not in typed:
        raise AddressInvalid(translatable("An email address contains an @, as in name@example.org."))
    if any(char.isspace() for char in typed):
        raise AddressInvalid(translatable("An email address has no spaces."))
    if "," in typed or ";" in typed:
        raise AddressInvalid(translatable("Please enter only one email address."))


def _slip(typed: str) -> str:
    """Return our own sentence for what is wrong with the syntax of an address.

    The library's messages say more, but they are in English only and use terms of programmers.
    """
    local, _, domain = typed.rpartition("@")
    if not local:
        return translatable("Something is missing before the @.")
    if "@" in local:
        return translatable("An email address has only one @.")
    if "." not in domain.strip("."):
        return translatable("The part after the @ must be a domain with a dot, such as example.org.")
    return translatable("This is not a valid email address. Please check it for a typing error.")


def canonical(text: str) -> str:
    """Return the form for comparing, the same for two spellings of one mailbox: NFC and lower case.

    It removes only differences that all providers ignore. Dots and plus signs stay, because providers differ.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def address_hash(canonical_text: str, key: bytes) -> str:
    """Return HMAC-SHA256 in hex. A suppression stores it, and so can outlive the stored address.

    It needs a key, because a plain hash can be reversed by hashing every known address.
    """
    if not key:
        raise ValueError("a suppression hash needs a key")
    return keyed_digest(key, canonical_text.encode()).hex()
