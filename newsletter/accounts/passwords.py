"""Passwords: make and check argon2id hashes, in the same time for known and unknown accounts."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator
from functools import cache

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

SHORTEST = 12
# Longer passwords would be fine, but a visitor could post very long ones to make us spend time on hashes.
LONGEST = 200

# RFC 9106, section 4, the second recommended choice: 64 MiB, three passes, four lanes.
_HASHER = PasswordHash((Argon2Hasher(time_cost=3, memory_cost=65536, parallelism=4),))

# Making a hash takes 64 MiB and four threads, so a process makes one at a time.
RUNNING = 1
# This many more requests wait for a hash; further ones are asked to retry. With KEPT they use at most six of
# the eight threads of a process (service/web_server.py), so other pages are always served.
WAITING = 3
# Places reserved for browsers that have signed in before, so that a burst of tries cannot lock the owner out.
KEPT = 2
RETRY_SECONDS = 5

_ROOM = threading.BoundedSemaphore(RUNNING)

# Without characters that look similar in a terminal, such as o and 0, or l and 1.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class Places:
    """Limits how many requests of a process hash a password or wait to do so."""

    def __init__(self, places: int = RUNNING + WAITING, kept: int = KEPT) -> None:
        self._places = places
        self._kept = kept
        self._taken = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def place(self, *, known: bool) -> Iterator[bool]:
        """Take a place for the block; yield False if none is free. `known` browsers have reserved places."""
        with self._lock:
            admitted = self._taken < self._places + (self._kept if known else 0)
            self._taken += admitted
        try:
            yield admitted
        finally:
            with self._lock:
                self._taken -= admitted


places = Places()


def hash_password(password: str) -> str:
    """Return the hash to store. It takes about 0.1 s: never call it inside a transaction."""
    with _ROOM:
        return _HASHER.hash(password)


def check_password(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Return whether `password` is right, and a new hash to store if the old one's parameters are outdated.

    If there is no such account, `stored` is None. The check then does the same work, so the response time
    does not reveal who has an account. Never call it inside a transaction.
    """
    if len(password) > LONGEST:
        password = ""
    with _ROOM:
        try:
            fits, renewed = _HASHER.verify_and_update(password, stored or _nobodys_hash())
        except UnknownHashError:  # not one of our hashes: refuse it, in the usual time
            fits, renewed = _HASHER.verify_and_update(password, _nobodys_hash())
            return False, None
    return fits and stored is not None, renewed


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash(secrets.token_urlsafe(32))


def warm_up() -> None:
    """Make the hash for unknown accounts now, so that the first check of one takes no longer."""
    _nobodys_hash()


def password_fault(password: str, email: str) -> str | None:
    """Return a message for people why `password` is refused for the account `email`, or None.

    As NIST SP 800-63B (section 3.1.1.2) requires, length counts and there are no rules about kinds of
    characters. Passwords with fewer than four different characters, or with the address, are refused too.
    """
    if len(password) < SHORTEST:
        return f"A password needs at least {SHORTEST} characters. Several words make a good password."
    if len(password) > LONGEST:
        return f"A password can have at most {LONGEST} characters."
    if len(set(password)) < 4:
        return "This password is easy to guess: it has too few different characters."
    if email.lower() in password.lower():
        return "This password is easy to guess: it contains your address."
    return None


def one_time_password() -> str:
    """Return a new password to read aloud or type once: four groups of five characters, 99 bits."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
    return "-".join(groups)
