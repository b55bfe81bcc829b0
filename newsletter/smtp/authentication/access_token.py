"""OAuth 2 access tokens for a relay or a mailbox: run the owner's command and cache its token."""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from newsletter.errors import TransportError
from newsletter.smtp.endpoint import Endpoint

COMMAND_SECONDS = 30
# A token is not used in its last minute. A token without an expiry time is cached for UNKNOWN_EXPIRY_SECONDS.
MARGIN_SECONDS = 60
UNKNOWN_EXPIRY_SECONDS = 300
# The command is not run again for this long after a failure. Otherwise each connection would wait for its
# own run of a command that fails.
FAILED_SECONDS = 15
# RFC 6750, section 2.1. No character in it can end the line or the field that it is sent in.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,8192}=*")


class TokenCommand:
    """The token command of one account, with its cached token. The threads of a process share it.

    One thread runs the command. Threads that wait meanwhile get the same token or the same failure. `whose`
    is relay or mailbox. The command gets the account in RELAY_HOST and RELAY_USER, or MAILBOX_HOST and so on.
    """

    def __init__(
        self,
        command: str,
        host: str,
        username: str,
        clock: Callable[[], float] = time.time,
        whose: str = "relay",
    ) -> None:
        self._command = command
        self._clock = clock
        self._whose = whose
        self._about = {f"{whose.upper()}_HOST": host, f"{whose.upper()}_USER": username}
        self._lock = threading.Lock()
        self._token: str | None = None
        self._until = 0.0
        self._failure = ""
        self._failed_at: float | None = None

    @classmethod
    def of(cls, endpoint: Endpoint) -> TokenCommand:
        """Return the shared command for the account of `endpoint`. Raises TransportError if none is set."""
        relay = endpoint.relay
        if endpoint.token_command is None:
            raise TransportError(f"there is neither a password nor a command for a token for {endpoint.name}")
        return _shared(endpoint.token_command, relay.host, relay.username or "", "relay")

    @classmethod
    def of_mailbox(cls, command: str, host: str, username: str) -> TokenCommand:
        """Return the shared command for the account of a mailbox."""
        return _shared(command, host, username, "mailbox")

    @property
    def kept(self) -> str | None:
        """The cached token, or None if it has expired."""
        return self._token if self._clock() < self._until else None

    def token(self) -> str:
        """Return the cached token, or run the command for a new one.

        Raises TransportError if the command fails, or failed in the last FAILED_SECONDS.
        """
        with self._lock:
            kept = self.kept
            if kept is not None:
                return kept
            if self._has_just_failed():
                raise TransportError(self._failure)
            try:
                kept, seconds = parse_answer(self._run(), self._clock(), self._whose)
            except TransportError as error:
                self._failure, self._failed_at = str(error), self._clock()
                raise
            self._token, self._until = kept, self._clock() + seconds
            self._failed_at = None
            return kept

    def _has_just_failed(self) -> bool:
        # `0 <=`: if the clock was set back, the failure must not be remembered for longer.
        return self._failed_at is not None and 0 <= self._clock() - self._failed_at < FAILED_SECONDS

    def forget(self, token: str) -> None:
        """Do not use `token` again: a relay refused it."""
        with self._lock:
            if self._token == token:
                self._token = None
                self._until = 0.0

    def _run(self) -> str:
        # NEWSLETTER_* settings hold secret keys, which the command must not see.
        ours = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
        words = shlex.split(self._command)
        try:
            done = subprocess.run(  # noqa: S603 (the owner's own command)
                words,
                env={**ours, **self._about},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except OSError as error:
            raise TransportError(
                f"the command for the {self._whose}'s token cannot be run: {error.strerror}"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise TransportError(
                f"the command for the {self._whose}'s token took over {COMMAND_SECONDS} s"
            ) from error
        if done.returncode:
            raise TransportError(
                f"the command for the {self._whose}'s token ended with status {done.returncode}"
            )
        return done.stdout.decode("utf-8", "replace")


@functools.lru_cache(maxsize=16)
def _shared(command: str, host: str, username: str, whose: str) -> TokenCommand:
    return TokenCommand(command, host, username, whose=whose)


def parse_answer(printed: str, now: float, whose: str = "relay") -> tuple[str, float]:
    """Return the token that a command printed, and for how many seconds to cache it. Pure.

    The command may print the token alone, the JSON of a token endpoint (RFC 6749, section 5.1), or the JSON
    of a cloud provider's tool. The JSON has access_token or accessToken. It may have expires_in in seconds,
    or expires_on or expires_at in seconds since 1970. Raises TransportError, without any of the output.
    """
    text = printed.strip()
    seconds = float(UNKNOWN_EXPIRY_SECONDS)
    if text.startswith("{"):
        try:
            answer = json.loads(text)
        except ValueError:
            raise TransportError(
                f"the command for the {whose}'s token printed JSON that cannot be read"
            ) from None
        text = str(answer.get("access_token") or answer.get("accessToken") or "")
        seconds = _seconds_left(answer, now)
    if not _TOKEN.fullmatch(text):
        raise TransportError(f"the command for the {whose}'s token printed no token")
    return text, seconds


def _seconds_left(answer: Mapping[str, Any], now: float) -> float:
    left = _number(answer.get("expires_in"))
    if left is None:
        end = _number(answer.get("expires_on")) or _number(answer.get("expires_at"))
        left = None if end is None else end - now
    if left is None:
        return UNKNOWN_EXPIRY_SECONDS
    # If the token is valid for less than two minutes, it is used for half of that time.
    return max(0.0, left - min(MARGIN_SECONDS, left / 2))


def _number(value: object) -> float | None:
    """Return `value` as a number if it is a number or a string that holds one, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < 1e12 else None  # this also rejects NaN
