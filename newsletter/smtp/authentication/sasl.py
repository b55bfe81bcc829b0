"""What we send to sign in to a relay or a mailbox (SASL), in base64. Pure."""

from __future__ import annotations

import base64


def encode(text: str) -> bytes:
    """Return a text in base64."""
    return base64.b64encode(text.encode())


def plain(username: str, password: str) -> bytes:
    """Return the answer of PLAIN (RFC 4616)."""
    return encode(f"\0{username}\0{password}")


def oauthbearer(username: str, token: str, host: str, port: int) -> bytes:
    """Return the answer of OAUTHBEARER (RFC 7628)."""
    user = username.replace("=", "=3D").replace(",", "=2C")
    fields = (f"n,a={user},", f"host={host}", f"port={port}", f"auth=Bearer {token}")
    return encode("\x01".join(fields) + "\x01\x01")


def xoauth2(username: str, token: str) -> bytes:
    """Return the answer of XOAUTH2, of Google and Microsoft."""
    return encode("\x01".join((f"user={username}", f"auth=Bearer {token}", "", "")))
