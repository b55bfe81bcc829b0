"""Who is let in at once when many come, and which addresses are not taken at all. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from newsletter.errors import InputError
from newsletter.settings import Settings
from newsletter.throttle import Limit

# Shares of the brake's burst that are kept for those who are more likely to be people. A script that
# floods the form with what it reads in the page gets neither, however many addresses it has.
KEPT_FOR_SEEN = 0.2
KEPT_FROM_CROWDS = 0.4
# With proof of work on, whoever brings none waits sooner: there is a way to the front.
KEPT_FOR_PROVEN = 0.5
KEPT_FROM_UNPROVEN_CROWDS = 0.8

# Half of all people have their mailbox at one of a few: a limit for them is a limit for everybody.
BIG_FACTOR = 20
BIG_PROVIDERS = frozenset({
    "126.com", "163.com", "aol.com", "bk.ru", "bluewin.ch", "btinternet.com", "comcast.net", "daum.net",
    "docomo.ne.jp", "ezweb.ne.jp", "fastmail.com", "foxmail.com", "free.fr", "freenet.de", "gmail.com",
    "gmx.at", "gmx.ch", "gmx.com", "gmx.de", "gmx.net", "googlemail.com", "hanmail.net", "hotmail.co.uk",
    "hotmail.com", "hotmail.de", "hotmail.es", "hotmail.fr", "hotmail.it", "icloud.com", "inbox.lt",
    "interia.pl", "laposte.net", "libero.it", "list.ru", "live.com", "live.fr", "mac.com", "mail.ru",
    "me.com", "msn.com", "naver.com", "o2.pl", "onet.pl", "orange.fr", "outlook.com", "outlook.de",
    "outlook.es", "outlook.fr", "pm.me", "posteo.de", "proton.me", "protonmail.com", "qq.com", "rambler.ru",
    "rediffmail.com", "seznam.cz", "sfr.fr", "sina.com", "softbank.ne.jp", "t-online.de", "telia.com",
    "uol.com.br", "verizon.net", "virgilio.it", "wanadoo.fr", "web.de", "wp.pl", "ya.ru", "yahoo.ca",
    "yahoo.co.jp", "yahoo.co.uk", "yahoo.com", "yahoo.com.br", "yahoo.de", "yahoo.es", "yahoo.fr",
    "yahoo.it", "yandex.com", "yandex.ru", "ymail.com", "zoho.com",
})  # fmt: skip

# RFC 2142, and what is read by several people or by a program. Not info@ and office@: small firms
# have no other address.
ROLES = frozenset({
    "abuse", "account", "accounts", "admin", "administrator", "all", "billing", "bounce", "bounces",
    "compliance", "daemon", "devnull", "dns", "everyone", "ftp", "help", "helpdesk", "hostmaster", "is",
    "it", "jobs", "list", "list-request", "mailer-daemon", "majordomo", "marketing", "news", "no-reply",
    "nobody", "noc", "noreply", "null", "orders", "phish", "phishing", "postmaster", "privacy", "registrar",
    "root", "sales", "security", "spam", "staff", "subscribe", "support", "sysadmin", "tech",
    "undisclosed-recipients", "unsubscribe", "usenet", "uucp", "webmaster", "www",
})  # fmt: skip

# Names below which anybody can register one: the limit is for what was registered.
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "go", "gob", "gouv", "gov", "ne", "net", "or", "org"})


_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")


class Trust(enum.IntEnum):
    """What speaks for a request: nothing, a hand at the page, a proof of work, or the owner's word."""

    NONE = 0
    SEEN = 1
    PROVEN = 2
    VOUCHED = 3


@dataclass(frozen=True, kw_only=True)
class Brake:
    """How many mails to people who never confirmed may go out, and for how long a request waits for its turn.

    `proof` says whether visitors are asked for a proof of work.
    """

    burst: int = 100
    per_hour: int = 60
    domain_per_hour: int = 30
    hold: timedelta = timedelta(hours=24)
    proof: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Brake:
        """Return the brake of an installation."""
        return cls(
            burst=settings.brake_burst,
            per_hour=settings.brake_per_hour,
            domain_per_hour=settings.brake_domain_per_hour,
            hold=timedelta(hours=settings.brake_hold_hours),
            proof=settings.altcha,
        )

    @property
    def limit(self) -> Limit:
        """The one limit for all mails to strangers together."""
        return Limit(self.burst, self.burst / self.per_hour * 3600)

    def floor(self, trust: Trust, nth: int) -> float:
        """Return how much must stay in the bucket for others.

        `nth` is how many forms the visitor's network had sent shortly before: a crowd behind one
        network goes to the end of the line, somebody alone in theirs goes before it.
        """
        if trust >= (Trust.PROVEN if self.proof else Trust.SEEN):
            return 0.0
        if self.proof:
            return self.burst * (KEPT_FROM_UNPROVEN_CROWDS if nth else KEPT_FOR_PROVEN)
        return self.burst * (KEPT_FROM_CROWDS if nth else KEPT_FOR_SEEN)

    def domain_limit(self, domain: str) -> Limit:
        """Return the limit of one recipient domain (see `limited_domain`)."""
        return Limit(self.domain_per_hour * (BIG_FACTOR if domain in BIG_PROVIDERS else 1), 3600)


def limited_domain(domain: str) -> str:
    """Return the domain whose limit counts: the registered one, as far as its names tell.

    A guess without the public suffix list: whoever has a domain has all names below it.
    """
    labels = domain.split(".")
    wide = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return ".".join(labels[-3 if wide else -2 :])


def is_role(local_part: str) -> bool:
    """Return whether a mailbox is a function's (RFC 2142) rather than a person's; +anything is left out."""
    return local_part.lower().partition("+")[0] in ROLES


def is_disposable(domain: str, known: Collection[str]) -> bool:
    """Return whether a domain, or one above it, is among the `known` providers of throw-away mailboxes."""
    labels = domain.split(".")
    return any(".".join(labels[at:]) in known for at in range(len(labels) - 1))


@lru_cache
def disposable_domains(known: bool, file: Path | None) -> frozenset[str]:
    """Return the domains to refuse: the `known` ones of the package disposable-email-domains, and a file's.

    Read once for each process. Raises OSError when the file cannot be read.
    """
    domains = read_domains(file) if file is not None else frozenset()
    if known:
        from disposable_email_domains import blocklist  # noqa: PLC0415 (eight thousand names)

        domains |= blocklist
    return domains


def read_domains(path: Path) -> frozenset[str]:
    """Return the domains of a file: one a line, # begins a comment, and letters beyond ASCII are welcome.

    Raises OSError when it cannot be read, and InputError when it is not text or a line is no domain.
    """
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as fault:
        raise InputError(f"{path} is not text in UTF-8") from fault
    found = set()
    for number, line in enumerate(text.splitlines(), start=1):
        written = line.partition("#")[0].strip().lower()
        domain = _ascii(written)
        if written and not _DOMAIN.fullmatch(domain):
            raise InputError(f"{path}, line {number}, is not a domain such as example.org")
        if written:
            found.add(domain)
    return frozenset(found)


def _ascii(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain
