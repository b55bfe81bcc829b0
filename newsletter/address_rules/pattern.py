"""Parse a pattern of addresses and match addresses with it, without regular expressions. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.errors import AddressInvalid, InputError
from newsletter.mail.addresses import LONGEST_ADDRESS, canonical, parse_address

# More are never needed, and each makes matching slower.
MOST_STARS = 4
EVERYBODY = "This pattern means every address. Name a domain, or a part before the @."


@dataclass(frozen=True, slots=True)
class Pattern:
    """A domain, `*.domain` for its subdomains or `*` for all, and what is before the @ (`*`: anything)."""

    host: str
    local: str = "*"

    def __str__(self) -> str:
        return self.host if self.local == "*" else f"{self.local}@{self.host}"

    @property
    def is_wide(self) -> bool:
        """Whether it names no domain that one owner has, such as `*.org` or `news*@*`."""
        return self.host == "*" or (self.host.startswith("*.") and "." not in self.host[2:])

    def matches(self, email_key: str) -> bool:
        """Return whether a canonical address matches."""
        local, _, domain = email_key.rpartition("@")
        return self.host in hosts_of(domain) and match_local(self.local, local)


def hosts_of(domain: str) -> Sequence[str]:
    """Return each `host` that matches a domain: the domain, `*.` and each parent of it, and `*`."""
    labels = domain.split(".")
    return [domain, *(f"*.{'.'.join(labels[at:])}" for at in range(1, len(labels))), "*"]


def match_local(wanted: str, local: str) -> bool:
    """Return whether the part before an @ matches, in which `*` of `wanted` stands for any characters.

    It searches each piece between two stars once, from the left. So its time grows with the two lengths only.
    """
    first, *more = wanted.split("*")
    if not more:
        return wanted == local
    *between, last = more
    if len(local) < len(first) + len(last) or not (local.startswith(first) and local.endswith(last)):
        return False
    at, end = len(first), len(local) - len(last)
    for piece in between:
        found = local.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def parse_pattern(text: str) -> Pattern:
    """Return the pattern that a person typed, with the domain in ASCII (IDNA 2008) and all in lower case.

    Raises InputError if it is no pattern, if it means every address, or if it means one address only.
    """
    typed = canonical(text.strip())
    if not typed or len(typed) > LONGEST_ADDRESS:
        raise InputError("Type a domain such as example.org, or a pattern such as *.example.org.")
    local, _, host = typed.rpartition("@")
    local = local or "*"
    while "**" in local:
        local = local.replace("**", "*")
    if local.count("*") > MOST_STARS:
        raise InputError(f"A pattern has at most {MOST_STARS} stars before the @.")
    pattern = Pattern(_host(host), _local(local))
    if pattern == Pattern("*"):
        raise InputError(EVERYBODY)
    if "*" not in pattern.local + pattern.host:
        raise InputError("This is one address. To stop emails to it, suppress it.")
    return pattern


def _host(typed: str) -> str:
    """Return the part after the @. A single label after `*.`, such as `*.org`, is a domain here too."""
    if typed == "*":
        return "*"
    start, domain = ("*.", typed[2:]) if typed.startswith("*.") else ("", typed)
    # A label more, because no address has a domain of one label.
    label = "a." if start else ""
    try:
        folded = parse_address(f"a@{label}{domain}").domain
    except AddressInvalid as fault:
        raise InputError(
            f"“{typed}” is no domain that can receive email. Type example.org, or *.example.org for its "
            "subdomains."
        ) from fault
    return start + folded.removeprefix(label)


def _local(typed: str) -> str:
    """Return the part before the @, after a check that some address can have it."""
    try:
        parse_address(f"{typed.replace('*', 'a')}@example.org")
    except AddressInvalid as fault:
        raise InputError(f"No address has “{typed}” before the @.") from fault
    return typed
