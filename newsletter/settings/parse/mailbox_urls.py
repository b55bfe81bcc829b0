"""Parse the URL of a mailbox. Error messages show no part of the URL, because it holds a password. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from newsletter.settings.parse.common import (
    host_and_port,
    is_loopback,
    split_authority,
    split_list,
    whole_number,
)
from newsletter.settings.parse.relay_urls import parse_options
from newsletter.settings.values import Mailbox, RelaySecurity

_EXAMPLE = "imaps://user:password@mail.example.org/INBOX"
# By scheme: the protocol, whether TLS is on from the first byte, and the usual port.
_SCHEMES = {
    "imap": ("imap", False, 143),
    "imaps": ("imap", True, 993),
    "pop3": ("pop3", False, 110),
    "pop3s": ("pop3", True, 995),
}
_LONGEST = 200


def parse_mailboxes(value: str) -> tuple[Mailbox, ...]:
    """Return the mailboxes of a list of URLs."""
    found = tuple(parse_mailbox(part) for part in split_list(value))
    if len({each.key for each in found}) < len(found):
        raise ValueError("names one mailbox twice")
    return found


def parse_mailbox(value: str) -> Mailbox:
    """Return the mailbox of a URL."""
    scheme, separator, rest = value.strip().partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        raise ValueError(f"is not a URL such as {_EXAMPLE}; a comma in a password is written as %2C")
    protocol, tls, usual_port = _SCHEMES[scheme.lower()]
    authority, path, query = _take_apart(rest)
    userinfo, _, place = authority.rpartition("@")
    username, colon, password = userinfo.partition(":")
    if not username:
        raise ValueError(f"has no user name; write it as {_EXAMPLE}")
    host, port = host_and_port(place, _EXAMPLE)
    options = parse_options(query, _OPTIONS, _text)
    wanted = options.pop("tls", "")
    if tls:
        security = RelaySecurity.TLS
    elif wanted == "none" or (not wanted and is_loopback(host)):
        security = RelaySecurity.NONE
    else:
        security = RelaySecurity.STARTTLS
    folder = _text(path.strip("/"))
    if protocol == "pop3" and (folder or "move_to" in options):
        raise ValueError("names a folder, which POP3 does not have")
    if "done" in options and "move_to" in options:
        raise ValueError("has the options done and move_to, of which only one is possible")
    return Mailbox(
        protocol,
        host,
        port or usual_port,
        security,
        _text(username),
        _text(password) if colon and password else None,
        folder or "INBOX",
        **options,
    )


def _take_apart(rest: str) -> tuple[str, str, str]:
    """Split the URL after `://` into user, password, host and port as one text; the folder; the options."""
    authority, more = split_authority(rest)
    path, _, query = more.partition("?")
    return authority, path, query


def _text(value: str) -> str:
    """Return a decoded part of a URL. Control characters could end a command and begin another one."""
    text = unquote(value)
    if not all(char.isprintable() for char in text):
        raise ValueError("has a control character")
    return text


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"is none of {', '.join(words)}")
        return value

    return parse


def _folder(value: str) -> str:
    if not 0 < len(value) <= _LONGEST:
        raise ValueError("is not the name of a folder")
    return value


_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "tls": _one_of("none", "starttls"),
    "done": _one_of("keep", "delete"),
    "move_to": _folder,
    "poll_seconds": whole_number(10, 86_400),
}
