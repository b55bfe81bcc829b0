"""Fetch a URL over HTTP: guarded, with limits on time and size, and without trust in the answer.

The host's name is looked up once for each request, and every address that DNS gives is checked (guard.py).
The connection goes to a checked address, so a DNS answer that changes later cannot matter. The name itself
stays in the Host header and in TLS, where the certificate is checked against it. At most five redirects are
followed, and each one is checked like the first URL. Cookies, passwords and proxy variables are never used.
"""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import TracebackType
from typing import IO, Any, Self

import httpcore2
import httpx2

from newsletter.errors import AnswerRefused, FetchError, FetchRefused
from newsletter.ingest.guard import Allowed, Target, check_address, check_url

Address = IPv4Address | IPv6Address
# Looks up the addresses of a host. Raises OSError.
Resolve = Callable[[str, int], Sequence[Address]]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
PERMANENT = frozenset({301, 308})
ENCODINGS = frozenset({"gzip", "deflate", "br"})
# A larger body is kept in a file, so that many fetches at once need little memory.
IN_MEMORY_BYTES = 256 * 1024
_NO_TIME = "it did not answer in time"


@dataclass(frozen=True)
class Limits:
    """What one fetch may cost, its redirects included."""

    seconds: float = 20.0
    # How long a server may be silent.
    silent_seconds: float = 10.0
    wire_bytes: int = 8 * 1024 * 1024
    body_bytes: int = 16 * 1024 * 1024
    header_bytes: int = 32 * 1024
    redirects: int = 5


@dataclass
class Retrieved:
    """An answer. `asked` is the first URL and `url` the last one.

    `moved_to` is where permanent redirects alone led, if there were any.
    """

    status: int
    asked: str
    url: str
    moved_to: str | None
    headers: Mapping[str, str]
    file: IO[bytes]
    size: int

    def read(self) -> bytes:
        """Return the whole body, decoded."""
        self.file.seek(0)
        return self.file.read()

    def close(self) -> None:
        """Forget the body."""
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def resolve(host: str, port: int) -> Sequence[Address]:
    """Return the addresses of a host, as the system's resolver knows them. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ip_address(str(each[4][0])) for each in found))


@dataclass(frozen=True)
class Retriever:
    """Fetches URLs. Any number of threads may share one."""

    user_agent: str
    allowed: Allowed = Allowed()
    limits: Limits = Limits()
    resolve: Resolve = resolve
    tls: ssl.SSLContext | None = None
    clock: Callable[[], float] = field(default=time.monotonic)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self.tls or ssl.create_default_context()

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Retrieved:
        """Return the answer of `url` after its redirects. Raises FetchError and FetchRefused."""
        deadline = self.clock() + self.limits.seconds
        target = check_url(url, self.allowed)
        moved_to: str | None = None
        permanent = True
        for _ in range(self.limits.redirects + 1):
            transport = PinnedTransport(self, target, self._addresses(target, deadline), deadline)
            with closing(transport), _as_fetch_errors(target.text):
                answer = transport.handle_request(self._request(target, headers or {}))
                location = answer.headers.get("location", "").strip()
                if answer.status_code not in REDIRECTS or not location:
                    return self._take(answer, target, url, moved_to, deadline)
                target = self._follow(target, location)
                permanent &= answer.status_code in PERMANENT
                moved_to = target.text if permanent else moved_to
        raise FetchRefused(url, f"it redirects more than {self.limits.redirects} times")

    def _request(self, target: Target, headers: Mapping[str, str]) -> httpx2.Request:
        wait = self.limits.silent_seconds
        return httpx2.Request(
            "GET",
            target.url,
            headers={
                "User-Agent": self.user_agent,
                "Accept": "*/*",
                "Accept-Encoding": "gzip, deflate, br",
                "Connection": "close",
                **headers,
            },
            extensions={"timeout": {"connect": wait, "read": wait, "write": wait, "pool": wait}},
        )

    def _addresses(self, target: Target, deadline: float) -> Sequence[Address]:
        """Return the checked addresses of a target. A lookup that takes too long is abandoned."""
        found: list[Sequence[Address] | OSError | UnicodeError] = []

        def look() -> None:
            try:
                found.append(self.resolve(target.host, target.port))
            except (OSError, UnicodeError) as fault:
                found.append(fault)

        # getaddrinfo has no timeout. Its thread ends by itself when the resolver gives up.
        lookup = threading.Thread(target=look, daemon=True)
        lookup.start()
        lookup.join(max(0.0, min(deadline - self.clock(), self.limits.silent_seconds)))
        if not found:
            raise FetchError(target.text, f"DNS gave no answer for {target.host} in time")
        answer = found[0]
        if isinstance(answer, (OSError, UnicodeError)) or not answer:
            raise FetchError(target.text, f"DNS has no address for {target.host}")
        if not target.allowed_host:
            for address in answer:
                check_address(address, target.text, self.allowed)
        return answer

    def _follow(self, target: Target, location: str) -> Target:
        try:
            joined = str(target.url.join(location))
        except (httpx2.InvalidURL, ValueError):
            raise FetchRefused(target.text, "it redirects to something that is not a URL") from None
        try:
            return check_url(joined, self.allowed)
        except FetchRefused as fault:
            raise FetchRefused(target.text, f"it redirects to {joined[:200]}: {fault.reason}") from fault

    def _take(
        self, answer: httpx2.Response, target: Target, asked: str, moved_to: str | None, deadline: float
    ) -> Retrieved:
        encodings = [each.strip().lower() for each in answer.headers.get("content-encoding", "").split(",")]
        if unknown := [each for each in encodings if each and each not in {*ENCODINGS, "identity"}]:
            raise AnswerRefused(
                target.text, f"it is compressed by {unknown[0][:40]}, an encoding not asked for"
            )
        if len(encodings) > 2:
            raise AnswerRefused(target.text, "it is compressed more than twice")
        file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115
        size = 0
        try:
            for piece in answer.iter_bytes():
                size += len(piece)
                if size > self.limits.body_bytes:
                    size_limit = _megabytes(self.limits.body_bytes)
                    raise AnswerRefused(target.text, f"it is larger than {size_limit}")
                if self.clock() > deadline:
                    raise FetchError(target.text, _NO_TIME)
                file.write(piece)
        except BaseException:
            file.close()
            raise
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Retrieved(answer.status_code, asked, target.text, moved_to, headers, file, size)


class PinnedTransport(httpx2.BaseTransport):
    """One connection to one of the addresses that were checked, for one request."""

    def __init__(self, retriever: Retriever, target: Target, addresses: Sequence[Address], deadline: float):
        self._limits = retriever.limits
        self._target = target
        self._pool = httpcore2.ConnectionPool(
            ssl_context=retriever._tls,
            max_connections=1,
            max_keepalive_connections=0,
            http1=True,
            http2=False,
            network_backend=_PinnedBackend(addresses, deadline, retriever.clock, self._limits),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request; return the answer before its body was read."""
        answer = self._pool.handle_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=b"",
                extensions=request.extensions,
            )
        )
        if sum(len(name) + len(value) for name, value in answer.headers) > self._limits.header_bytes:
            raise AnswerRefused(self._target.text, "its headers are too large")
        assert isinstance(answer.stream, Iterable)
        return httpx2.Response(
            answer.status, headers=answer.headers, stream=_Stream(answer.stream), request=request
        )

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()


class _Stream(httpx2.SyncByteStream):
    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        if hasattr(self._stream, "close"):
            self._stream.close()


@dataclass(frozen=True)
class _PinnedBackend(httpcore2.NetworkBackend):
    """Opens connections to the checked addresses alone, whatever name it is asked for."""

    addresses: Sequence[Address]
    deadline: float
    clock: Callable[[], float]
    limits: Limits

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        system = httpcore2.SyncBackend()
        last: Exception = httpcore2.ConnectError("no address")
        for address in self.addresses:
            left = self.deadline - self.clock()
            if left <= 0:
                raise httpcore2.ConnectTimeout(_NO_TIME)
            wait = left if timeout is None else min(left, timeout)
            try:
                stream = system.connect_tcp(str(address), port, wait, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as fault:
                last = fault
                continue
            return _BoundedStream(stream, self.deadline, self.clock, self.limits)
        raise last

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.NetworkStream:
        raise httpcore2.ConnectError("there are no such URLs")

    def sleep(self, seconds: float) -> None:
        """Wait between attempts: there is only one attempt."""


class _BoundedStream(httpcore2.NetworkStream):
    """A connection that ends at the deadline, and after as many bytes as one answer may have."""

    def __init__(
        self, stream: httpcore2.NetworkStream, deadline: float, clock: Callable[[], float], limits: Limits
    ) -> None:
        self._stream = stream
        self._deadline = deadline
        self._clock = clock
        self._limits = limits
        self._left = limits.wire_bytes + limits.header_bytes

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        piece = self._stream.read(max_bytes, self._wait(timeout, httpcore2.ReadTimeout))
        self._left -= len(piece)
        if self._left < 0:
            raise _TooLarge(f"it is larger than {_megabytes(self._limits.wire_bytes)}")
        return piece

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._wait(timeout, httpcore2.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        wait = self._wait(timeout, httpcore2.ConnectTimeout)
        inner = self._stream.start_tls(ssl_context, server_hostname, wait)
        return _BoundedStream(inner, self._deadline, self._clock, self._limits)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    def _wait(self, timeout: float | None, late: type[httpcore2.TimeoutException]) -> float:
        left = self._deadline - self._clock()
        if left <= 0:
            raise late(_NO_TIME)
        return left if timeout is None else min(left, timeout)


class _TooLarge(Exception):
    """The answer has more bytes than it may have."""


@contextmanager
def _as_fetch_errors(url: str) -> Iterator[None]:
    """Turn the errors of the HTTP libraries into ours, with words for people."""
    try:
        yield
    except _TooLarge as fault:
        raise AnswerRefused(url, str(fault)) from fault
    except (httpcore2.TimeoutException, httpx2.TimeoutException) as fault:
        raise FetchError(url, _NO_TIME) from fault
    except httpx2.DecodingError as fault:
        raise FetchError(url, "its compressed content is damaged") from fault
    except (httpcore2.ProtocolError, httpx2.ProtocolError) as fault:
        raise FetchError(url, f"its answer is not HTTP: {fault}"[:300]) from fault
    except (httpcore2.NetworkError, httpx2.HTTPError, ssl.SSLError, OSError) as fault:
        words = str(fault).strip() or type(fault).__name__
        raise FetchError(url, f"it cannot be reached: {words}"[:300]) from fault


def _megabytes(count: int) -> str:
    return f"{count / 1024 / 1024:g} MB"
