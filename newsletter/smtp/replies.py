"""Parse SMTP replies from bytes as they arrive (RFC 5321, section 4.2). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from newsletter.errors import ProtocolError

MAX_LINE_BYTES = 4096
MAX_LINES = 200

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_STATUS = re.compile(r"#?([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])")
# Control characters, C1 included: replies end up in logs, tables and terminals.
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), " ")


@dataclass(frozen=True)
class Reply:
    """One reply, with the text of each of its lines.

    `local` marks a reply that we made ourselves, in the form of a relay's. It says why we did not offer a
    message to the relay (too large, for example).
    """

    code: int
    lines: tuple[str, ...] = ()
    local: bool = False

    @classmethod
    def made_here(cls, code: int, text: str) -> Reply:
        """Return a local reply of one line."""
        return cls(code, (text,), local=True)

    @property
    def positive(self) -> bool:
        """2yz: the relay did what we asked."""
        return 200 <= self.code < 300

    @property
    def transient(self) -> bool:
        """4yz: the relay refuses now; a later try may succeed."""
        return 400 <= self.code < 500

    @property
    def permanent(self) -> bool:
        """5yz: the relay refuses, and the same try will fail again."""
        return 500 <= self.code < 600

    @cached_property
    def status(self) -> str:
        """The enhanced status code such as "5.1.1" (RFC 3463), or "".

        A status whose class contradicts the reply's code is ignored (RFC 2034, section 4).
        """
        for line in self.lines:
            match = _STATUS.match(line)
            if match and match[1][0] == str(self.code)[0]:
                return match[1]
        return ""

    @cached_property
    def text(self) -> str:
        """The text of all lines, joined by spaces, with the enhanced status."""
        return " ".join(line for line in self.lines if line)

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


class ReplyReader:
    """Takes bytes as they arrive, split anywhere, and returns whole replies one at a time.

    A packet may hold a valid reply and then garbage. `take` returns the valid reply first, and raises only
    when it reaches the garbage.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._start = 0
        self._searched = 0
        self._code = 0
        self._lines: list[str] = []

    @property
    def idle(self) -> bool:
        """Whether the buffer holds no reply and no part of one."""
        return not self._lines and self._start == len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        self._buffer = self._buffer[self._start :] + data
        self._searched -= self._start
        self._start = 0

    def take(self) -> Reply | None:
        """Return the next whole reply, or None when it needs more bytes.

        Lines may end in a bare LF. Raises ProtocolError for bytes that are no reply, a line of more than 4096
        bytes, and a reply of more than 200 lines. The connection cannot be used after that.
        """
        while (end := self._buffer.find(b"\n", self._searched)) >= 0:
            line = self._buffer[self._start : end].removesuffix(b"\r")
            self._start = self._searched = end + 1
            if not self._lines and (whole := _whole_reply(line)) is not None:
                return whole
            if self._add(line):
                reply = Reply(self._code, tuple(self._lines))
                self._lines = []
                return reply
        self._searched = len(self._buffer)
        if len(self._buffer) - self._start > MAX_LINE_BYTES:
            raise ProtocolError(f"a reply line is longer than {MAX_LINE_BYTES} bytes")
        return None

    def _add(self, line: bytes) -> bool:
        """Add a line to the current reply; return whether it is the last one."""
        code, text, is_last = _parse_line(line)
        if self._lines and code != self._code:
            raise ProtocolError(f"one reply has the codes {self._code} and {code}")
        if len(self._lines) >= MAX_LINES:
            raise ProtocolError(f"a reply has more than {MAX_LINES} lines")
        self._code = code
        self._lines.append(text)
        return is_last


def _parse_line(line: bytes) -> tuple[int, str, bool]:
    """Return the code and the text of one line of a reply, and whether it is the last."""
    match = _LINE.fullmatch(line)
    if match is None or len(line) > MAX_LINE_BYTES:
        raise ProtocolError(f"this is not an SMTP reply: {line[:80]!r}")
    text = (match[3] or b"").decode("utf-8", "replace")
    return int(match[1]), text.translate(_CONTROLS).strip(), match[2] != b"-"


@lru_cache(maxsize=256)
def _whole_reply(line: bytes) -> Reply | None:
    """Return `line` as a reply of one line, or None when it is the first of several.

    A relay sends the same few replies for every message, so they are cached, with their parsed status.
    """
    code, text, is_last = _parse_line(line)
    return Reply(code, (text,)) if is_last else None
