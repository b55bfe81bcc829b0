"""Limits for emails to unconfirmed addresses: in total, by domain, and by how trusted a request is. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from publicsuffixlist import PublicSuffixList

from newsletter.settings import Settings
from newsletter.throttle import Limit

# Of the burst for all confirmation emails, these shares are reserved for requests that probably come from
# people. A script that only posts what it reads in the page can use neither, even with many IP addresses.
KEPT_FOR_SEEN = 0.2
KEPT_FROM_CROWDS = 0.4
# If proof of work is on, a request without one waits sooner, because visitors can avoid that with a proof.
KEPT_FOR_PROVEN = 0.5
KEPT_FROM_UNPROVEN_CROWDS = 0.8

# About half of all people have a mailbox at one of these providers, so their domains get a higher limit.
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


class Trust(enum.IntEnum):
    """How likely a request comes from a person.

    SEEN: it was typed on the page. PROVEN: it has a proof of work. VOUCHED: the owner has let it through.
    """

    NONE = 0
    SEEN = 1
    PROVEN = 2
    VOUCHED = 3


@dataclass(frozen=True, kw_only=True)
class ConfirmationLimits:
    """The limits for emails to unconfirmed addresses, and for how long a request above them is kept.

    `proof`: visitors are asked for a proof of work.
    """

    burst: int = 100
    per_hour: int = 60
    domain_per_hour: int = 30
    keep_for: timedelta = timedelta(hours=24)
    proof: bool = False

    @classmethod
    def of(cls, settings: Settings) -> ConfirmationLimits:
        """Return the limits of an installation."""
        return cls(
            burst=settings.brake_burst,
            per_hour=settings.brake_per_hour,
            domain_per_hour=settings.brake_domain_per_hour,
            keep_for=timedelta(hours=settings.brake_hold_hours),
            proof=settings.altcha,
        )

    @property
    def limit(self) -> Limit:
        """The limit for all emails to unconfirmed addresses together."""
        return Limit(self.burst, self.burst / self.per_hour * 3600)

    def reserve(self, trust: Trust, nth: int) -> float:
        """Return how many tokens this request must leave in the bucket for others.

        `nth` is how many forms the visitor's network sent shortly before. If there were any, more tokens are
        reserved for others, so a single visitor of a network goes before a crowd from one network.
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
    """Return the registered domain, whose limit counts: its owner can make any number of names below it.

    It comes from the public suffix list without its private part. So all names of a free dynamic DNS service
    share one limit, because anybody can register many of them.
    """
    return _suffixes().privatesuffix(domain) or domain


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)
