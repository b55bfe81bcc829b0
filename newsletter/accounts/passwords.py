"""Passwords: argon2id hashes, made and checked in the same time for known and unknown people."""

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
# Longer ones are welcome in principle; but hashing whatever somebody posts is work for them to give us.
LONGEST = 200

# RFC 9106, section 4, the second recommended choice: 64 MiB, three passes, four lanes.
_HASHER = PasswordHash((Argon2Hasher(time_cost=3, memory_cost=65536, parallelism=4),))

# Each hash takes 64 MiB and four threads while it is made, so a process makes one at a time.
RUNNING = 1
# Of requests that want one, this many more wait; whoever comes then is asked to come again. Together they
# take up at most six of the eight threads of a process (service/web_server.py), so pages are always served.
WAITING = 3
# Places for browsers that signed in before: a burst of tries does not keep the owner out.
KEPT = 2
RETRY_SECONDS = 5

_ROOM = threading.BoundedSemaphore(RUNNING)

# Without the letters and digits that are mistaken for one another when read off a terminal.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class Places:
    """The requests of a process that hash a password or wait to: so many and no more."""

    def __init__(self, places: int = RUNNING + WAITING, kept: int = KEPT) -> None:
        self._places = places
        self._kept = kept
        self._taken = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def place(self, *, known: bool) -> Iterator[bool]:
        """Hold a place for the block; give False when there is none. `known` browsers have some more."""
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
    """Return the hash to store. Takes about a tenth of a second: never inside a transaction."""
    with _ROOM:
        return _HASHER.hash(password)


def check_password(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Return whether `password` fits, and a new hash to store when the old one's parameters are outdated.

    With `stored` None (nobody by that name) the same work is done for nothing, so that the time of
    the answer does not tell who has an account. Never inside a transaction.
    """
    if len(password) > LONGEST:
        password = ""
    with _ROOM:
        try:
            fits, renewed = _HASHER.verify_and_update(password, stored or _nobodys_hash())
        except UnknownHashError:  # not a hash of ours: nobody gets in by it, and it takes its time
            fits, renewed = _HASHER.verify_and_update(password, _nobodys_hash())
            return False, None
    return fits and stored is not None, renewed


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash(secrets.token_urlsafe(32))


def warm_up() -> None:
    """Make the hash that unknown people are checked against, so the first one takes no longer."""
    _nobodys_hash()


def password_fault(password: str, email: str) -> str | None:
    """Return why `password` cannot be the password of `email`, in words for them; None when it can.

    Length alone counts, as NIST SP 800-63B (section 3.1.1.2) has it: no rules about characters.
    """
    if len(password) < SHORTEST:
        return f"A password has at least {SHORTEST} characters; a few words in a row make a good one."
    if len(password) > LONGEST:
        return f"A password has at most {LONGEST} characters."
    if len(set(password)) < 4:
        return "A password of so few different characters is soon guessed."
    if email.lower() in password.lower():
        return "Your address is the first thing that others would try."
    return None


def one_time_password() -> str:
    """Return a fresh password to be read aloud or typed once: four groups of five, 99 bits."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
    return "-".join(groups)
