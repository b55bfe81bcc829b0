"""Suggest a domain for a mistyped one, such as gmail.com for gmial.com. Pure."""

from __future__ import annotations

# Domains of the most common mailbox providers.
COMMON = (
    "gmail.com", "googlemail.com", "hotmail.com", "outlook.com", "yahoo.com", "icloud.com", "live.com",
    "proton.me", "protonmail.com", "fastmail.com", "posteo.de", "web.de", "t-online.de", "freenet.de",
    "orange.fr", "wanadoo.fr", "laposte.net", "libero.it", "yandex.ru", "naver.com",
)  # fmt: skip

# Real domains that differ from those above by one character, so they are not typos.
REAL = frozenset({
    "mail.com", "ymail.com", "email.com", "gmx.com", "gmx.net", "gmx.de", "aol.com", "me.com", "mac.com",
    "mail.ru", "rocketmail.com", "love.com", "line.com", "life.com", "five.com", "lives.com", "olive.com",
    "proton.com", "hotmail.co", "yahoo.co", "we.de", "wet.de", "nave.com", "navel.com",
})  # fmt: skip


def suggest_domain(domain: str) -> str | None:
    """Return the common domain that differs from this one by a single slip, or None.

    A slip is one character too many, missing or wrong, or two in the wrong order. This is a guess, so the
    page must let the visitor keep what they typed.
    """
    if domain in COMMON or domain in REAL:
        return None
    return next((common for common in COMMON if _one_slip(domain, common)), None)


def _one_slip(typed: str, meant: str) -> bool:
    if abs(len(typed) - len(meant)) > 1:
        return False
    start = 0
    while start < min(len(typed), len(meant)) and typed[start] == meant[start]:
        start += 1
    rest_typed, rest_meant = typed[start:], meant[start:]
    return (
        rest_typed[1:] == rest_meant[1:]
        or rest_typed[1:] == rest_meant
        or rest_typed == rest_meant[1:]
        or (rest_typed[:2] == rest_meant[1::-1] and rest_typed[2:] == rest_meant[2:])
    )
