"""Small IMAP and POP3 servers in memory, which a test can make fail at any command."""

from __future__ import annotations

import abc
import contextlib
import itertools
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator

# Called with the connection at a command. If it returns True, the server does not answer by itself.
Fault = Callable[["Talk"], bool]
BLOCK = b"x" * 65536


class Ended(Exception):
    """The conversation is over."""


class Talk:
    """One conversation: lines in, bytes out."""

    def __init__(self, sock: socket.socket, stop: threading.Event) -> None:
        self.sock = sock
        self.stop = stop
        self._file = sock.makefile("rb")

    def line(self) -> bytes:
        line = self._file.readline()
        if not line:
            raise Ended
        return line.rstrip(b"\r\n")

    def say(self, *lines: bytes) -> None:
        self.sock.sendall(b"".join(line + b"\r\n" for line in lines))

    def has_line(self, seconds: float) -> bool:
        self.sock.settimeout(seconds)
        try:
            return bool(self._file.peek(1))
        except TimeoutError:
            return False
        finally:
            self.sock.settimeout(None)


def hang(talk: Talk) -> bool:
    talk.stop.wait(30)
    raise Ended


def close(_talk: Talk) -> bool:
    raise Ended


def endless_line(talk: Talk) -> bool:
    while True:
        talk.sock.sendall(BLOCK)


def endless_lines(talk: Talk) -> bool:
    while True:
        talk.sock.sendall(b"* 1 FETCH (FLAGS (\\Seen))\r\n" * 2000)


def endless_block(talk: Talk) -> bool:
    talk.say(b"* 1 FETCH (UID 1 RFC822.SIZE 9 BODY[]<0> {999999999999}")
    return endless_line(talk)


def short_block(talk: Talk) -> bool:
    talk.say(b"* 1 FETCH (UID 1 RFC822.SIZE 9 BODY[]<0> {5000}", b"short)", b"* OK")
    return hang(talk)


def noise(talk: Talk) -> bool:
    talk.say(b"\xff\xfe\x00 {x} * ( \x1b[31m")
    return True


def drip(talk: Talk) -> bool:
    while not talk.stop.wait(0.02):
        talk.sock.sendall(b"* ")
    raise Ended


class _Server(abc.ABC):
    def __init__(self) -> None:
        self.messages: dict[int, bytes] = {}
        self.password = "right"
        self.faults: dict[str, Fault] = {}
        self.commands: Counter[str] = Counter()
        self.stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.lock = threading.Lock()
        self._uids_in_order = itertools.count(1)

    def put(self, message: bytes) -> int:
        with self.lock:
            uid = next(self._uids_in_order)
            self.messages[uid] = message
            return uid

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, Ended), sock:
            self.talk(Talk(sock, self.stop))

    @abc.abstractmethod
    def talk(self, talk: Talk) -> None:
        """Serve one connection until it ends."""

    def fails(self, name: str, talk: Talk) -> bool:
        self.commands[name] += 1
        fault = self.faults.get(name)
        return fault(talk) if fault else False

    def end(self) -> None:
        self.stop.set()
        # A thread that waits in accept() is woken by this.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class ImapServer(_Server):
    """One folder. `validity` and `offers` can be changed; `flags` has what was set."""

    def __init__(self) -> None:
        super().__init__()
        self.validity = 7
        self.offers = b"IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS IDLE"
        self.flags: dict[int, set[bytes]] = {}
        self.whole = False  # send the whole message, whatever part was asked for

    def talk(self, talk: Talk) -> None:
        if not self.fails("greeting", talk):
            talk.say(b"* OK ready")
        while True:
            tag, _, rest = talk.line().partition(b" ")
            words = rest.split()
            name = (words[1] if words[0].upper() == b"UID" else words[0]).decode().upper()
            # Before the command is counted: a test may put a message as soon as it sees the IDLE.
            known = len(self.messages)
            if self.fails(name, talk):
                continue
            with self.lock:
                answer = getattr(self, f"do_{name.lower()}")(rest, words, talk)
            if name == "IDLE":
                self._idle(talk, known)
            talk.say(tag + b" " + answer)
            if name == "LOGOUT":
                raise Ended

    def _idle(self, talk: Talk, known: int) -> None:
        talk.say(b"+ idling")
        while not talk.has_line(0.05):
            if len(self.messages) != known:
                known = len(self.messages)
                talk.say(b"* %d EXISTS" % known)
        talk.line()

    def do_capability(self, _rest: bytes, _words: list[bytes], talk: Talk) -> bytes:
        talk.say(b"* CAPABILITY " + self.offers)
        return b"OK done"

    def do_authenticate(self, _rest: bytes, words: list[bytes], _talk: Talk) -> bytes:
        import base64

        given = base64.b64decode(words[2]).split(b"\0")[2].decode()
        return b"OK in" if given == self.password else b"NO [AUTHENTICATIONFAILED] wrong"

    def do_login(self, _rest: bytes, words: list[bytes], _talk: Talk) -> bytes:
        return b"OK in" if words[2].strip(b'"').decode() == self.password else b"NO wrong"

    def do_select(self, _rest: bytes, _words: list[bytes], talk: Talk) -> bytes:
        talk.say(b"* %d EXISTS" % len(self.messages), b"* OK [UIDVALIDITY %d] ok" % self.validity)
        talk.say(rb"* OK [PERMANENTFLAGS (\Seen \Deleted \*)] ok")
        return b"OK [READ-WRITE] selected"

    def do_noop(self, _rest: bytes, _words: list[bytes], talk: Talk) -> bytes:
        talk.say(b"* %d EXISTS" % len(self.messages))
        return b"OK done"

    def do_search(self, _rest: bytes, words: list[bytes], talk: Talk) -> bytes:
        gone = {uid for uid in self.messages if b"\\Deleted" in self.flags.get(uid, ())}
        if words[2] == b"KEYWORD":
            found = sorted(uid for uid in gone if words[3] in self.flags[uid])
        else:
            found = [uid for uid in self._uids(words[3]) if uid not in gone]
        talk.say(b"* SEARCH " + b" ".join(b"%d" % uid for uid in found))
        return b"OK done"

    def do_fetch(self, rest: bytes, words: list[bytes], talk: Talk) -> bytes:
        part = re.search(rb"<0\.(\d+)>", rest)
        most = int(part[1]) if part else 0
        for number, uid in enumerate(self._uids(words[2]), 1):
            raw = self.messages[uid]
            kept = raw if self.whole else raw[:most]
            head = b"* %d FETCH (UID %d RFC822.SIZE %d BODY[]<0> {%d}" % (number, uid, len(raw), len(kept))
            talk.say(head, kept + b")")
        return b"OK done"

    def do_store(self, rest: bytes, words: list[bytes], _talk: Talk) -> bytes:
        for uid in self._uids(words[2]):
            self.flags.setdefault(uid, set()).update(re.findall(rb"[\\$]\w+", rest))
        return b"OK done"

    def do_expunge(self, _rest: bytes, words: list[bytes], _talk: Talk) -> bytes:
        for uid in self._uids(words[2]):
            if b"\\Deleted" in self.flags.get(uid, ()):
                del self.messages[uid]
        return b"OK done"

    def do_idle(self, _rest: bytes, _words: list[bytes], _talk: Talk) -> bytes:
        return b"OK done"

    def do_logout(self, _rest: bytes, _words: list[bytes], _talk: Talk) -> bytes:
        return b"OK bye"

    def _uids(self, text: bytes) -> list[int]:
        last = max(self.messages, default=0)
        found = set()
        for part in text.split(b","):
            low, _, high = part.partition(b":")
            ends = sorted(last if each == b"*" else int(each) for each in (low, high or low))
            found |= {uid for uid in self.messages if ends[0] <= uid <= ends[1]}
        return sorted(found)


class Pop3Server(_Server):
    """One mailbox. Messages are deleted at QUIT."""

    def talk(self, talk: Talk) -> None:
        if not self.fails("greeting", talk):
            talk.say(b"+OK ready")
        with self.lock:
            uids, gone = sorted(self.messages), set()
        while True:
            name, _, argument = talk.line().partition(b" ")
            if self.fails(name.decode(), talk):
                continue
            if name == b"PASS" and argument.decode() != self.password:
                talk.say(b"-ERR wrong")
            elif name == b"UIDL":
                talk.say(b"+OK", *(b"%d id%d" % (n, uid) for n, uid in enumerate(uids, 1)), b".")
            elif name == b"RETR":
                raw = b"\r\n" + self.messages[uids[int(argument) - 1]]
                talk.say(b"+OK", raw.replace(b"\r\n.", b"\r\n..")[2:], b".")
            elif name == b"DELE":
                gone.add(uids[int(argument) - 1])
                talk.say(b"+OK")
            elif name == b"QUIT":
                with self.lock:
                    for uid in gone:
                        del self.messages[uid]
                talk.say(b"+OK bye")
                raise Ended
            else:
                talk.say(b"+OK")


@contextlib.contextmanager
def serving(server: _Server) -> Iterator[None]:
    """Accept connections until the block ends."""
    thread = threading.Thread(target=server.accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.end()
        thread.join(5)
