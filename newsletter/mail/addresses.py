"""Addresses: read as a person typed them, kept in one form for mailing and one for comparing. Pure."""

from __future__ import annotations

import hmac
import re
import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, EmailSyntaxError, validate_email

from newsletter.errors import AddressInvalid
from newsletter.languages import translatable

# RFC 5321, section 4.5.3.1: 64 octets before the @, 256 for the path with its angle brackets.
LONGEST_ADDRESS = 254
LONGEST_LOCAL_PART = 64

# What comes along when an address is copied from a page: spaces of every kind, zero-width marks.
_AROUND = " \t\r\n\v\f\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff"
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# Persian and Indic domains may hold these two; IDNA's rules for them are email-validator's affair.
_JOINERS = "\u200c\u200d"
_TRIM = re.compile(f"^[{_AROUND}]+|[{_AROUND}]+$")


@dataclass(frozen=True, slots=True)
class Address:
    """An address that can be mailed.

    `text` is for envelopes and headers: the domain in ASCII (IDNA 2008), the local part as the
    reader wrote it. `canonical` is for comparing only: case and Unicode form make no difference.
    """

    text: str
    canonical: str

    @property
    def local_part(self) -> str:
        """What is before the @."""
        return self.text.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """The domain, lower case and in ASCII."""
        return self.text.rpartition("@")[2]

    @property
    def needs_smtputf8(self) -> bool:
        """Whether only a relay with SMTPUTF8 (RFC 6531) can carry it; an IDN alone does not need that."""
        return not self.text.isascii()

    @property
    def ascii(self) -> str | None:
        """The address in ASCII, or None when it has no such form."""
        return None if self.needs_smtputf8 else self.text

    def __str__(self) -> str:
        return self.text


def parse_address(text: str) -> Address:
    """Return the address somebody typed; white space around it is forgiven, nothing else is guessed.

    Quoted local parts, domain literals, display names and domains that cannot receive mail from
    the Internet (localhost, .test, .local) are refused. Nothing is looked up in DNS. Raises
    AddressInvalid with a sentence fit for the person who typed it.
    """
    # Before any other work: the form is open to everyone.
    if len(text) > 4 * LONGEST_ADDRESS:
        raise AddressInvalid(translatable("This is too long for an e-mail address."))
    typed = _TRIM.sub("", text)
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
        raise AddressInvalid(translatable("No mail can be sent to this domain.")) from fault
    local = unicodedata.normalize("NFC", found.local_part)
    address = f"{local}@{found.ascii_domain.lower()}"
    if len(local.encode()) > LONGEST_LOCAL_PART or len(address.encode()) > LONGEST_ADDRESS:
        raise AddressInvalid(translatable("This is too long for an e-mail address."))
    return Address(address, canonical(address))


def _refuse_the_obvious(typed: str) -> None:
    if not typed:
        raise AddressInvalid(translatable("Please enter an e-mail address."))
    # A line break here would end a line of an SMTP conversation or of a header; a mark that turns
    # the direction of writing shows a reader another address than the one that is mailed.
    if any(unicodedata.category(char) in _INVISIBLE and char not in _JOINERS for char in typed):
        raise AddressInvalid(
            translatable("An e-mail address has no invisible characters; please type it anew.")
        )
    if "@" not in typed:
        raise AddressInvalid(translatable("An e-mail address has an @ in it, as in name@example.org."))
    if any(char.isspace() for char in typed):
        raise AddressInvalid(translatable("An e-mail address has no spaces in it."))
    if "," in typed or ";" in typed:
        raise AddressInvalid(translatable("Please enter one e-mail address."))


def _slip(typed: str) -> str:
    """Return what is wrong with an address that does not follow the syntax, in our own words.

    The library's say more, but in English only, and of things that nobody but a programmer knows.
    """
    local, _, domain = typed.rpartition("@")
    if not local:
        return translatable("Something is missing before the @.")
    if "@" in local:
        return translatable("An e-mail address has one @ only.")
    if "." not in domain.strip("."):
        return translatable("After the @ comes a domain with a dot in it, such as example.org.")
    return translatable("This is not written as e-mail addresses are; please look for a slip.")


def canonical(text: str) -> str:
    """Return the key that two spellings of one mailbox share: NFC and lower case.

    Only what every provider treats alike is folded. Dots and plus signs stay: whether they
    matter is the provider's affair.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def address_hash(canonical_text: str, key: bytes) -> str:
    """Return HMAC-SHA256 in hex: what a suppression keeps, so that it outlives the address.

    Keyed, because a plain hash of an address is undone by hashing every known address.
    """
    if not key:
        raise ValueError("a suppression hash needs a key")
    return hmac.digest(key, canonical_text.encode(), "sha256").hex()
