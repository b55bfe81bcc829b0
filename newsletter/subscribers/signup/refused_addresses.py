"""Addresses that sign-up refuses: role mailboxes and providers of disposable mailboxes."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from newsletter.errors import InputError

# Role mailboxes of RFC 2142, and others that several people or a program read. Small companies often have no
# other address than info@ or office@, so these are allowed.
ROLES = frozenset({
    "abuse", "account", "accounts", "admin", "administrator", "all", "billing", "bounce", "bounces",
    "compliance", "daemon", "devnull", "dns", "everyone", "ftp", "help", "helpdesk", "hostmaster", "is",
    "it", "jobs", "list", "list-request", "mailer-daemon", "majordomo", "marketing", "news", "no-reply",
    "nobody", "noc", "noreply", "null", "orders", "phish", "phishing", "postmaster", "privacy", "registrar",
    "root", "sales", "security", "spam", "staff", "subscribe", "support", "sysadmin", "tech",
    "undisclosed-recipients", "unsubscribe", "usenet", "uucp", "webmaster", "www",
})  # fmt: skip


_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")


def is_role(local_part: str) -> bool:
    """Return whether a mailbox belongs to a role (RFC 2142) and not to a person. +anything is ignored."""
    return local_part.lower().partition("+")[0] in ROLES


def is_disposable(domain: str, known: Collection[str]) -> bool:
    """Return whether a domain or a parent of it is among the `known` providers of disposable mailboxes."""
    labels = domain.split(".")
    return any(".".join(labels[at:]) in known for at in range(len(labels) - 1))


@lru_cache
def disposable_domains(known: bool, file: Path | None) -> frozenset[str]:
    """Return the domains to refuse: those in `file`, and with `known` those of disposable-email-domains.

    Each process reads them once. Raises OSError if the file cannot be read, and InputError if it is invalid.
    """
    domains = read_domains(file) if file is not None else frozenset()
    if known:
        from disposable_email_domains import blocklist  # noqa: PLC0415 (eight thousand names)

        domains |= blocklist
    return domains


def read_domains(path: Path) -> frozenset[str]:
    """Return the domains in a file: one a line, # starts a comment, and non-ASCII names are allowed.

    Raises OSError if the file cannot be read, and InputError if it is not text or a line is not a domain.
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
