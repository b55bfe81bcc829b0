"""Tests of fetching from a real server: addresses are pinned, redirects checked, sizes and times bounded."""

from __future__ import annotations

import gzip
import os
import ssl
import zlib
from ipaddress import ip_address
from pathlib import Path

import brotli
import pytest
from servers.web import Asked, WebServer, answer, serving
from smtp.certificates import Authority

from newsletter.errors import FetchError, FetchRefused
from newsletter.ingest.guard import Allowed
from newsletter.ingest.retrieve import Limits, Retriever

HERE = Allowed.of(["127.0.0.0/8"])
SMALL = Limits(wire_bytes=50_000, body_bytes=100_000, header_bytes=4_000)


@pytest.fixture
def server():
    with serving() as running:
        yield running


def retriever(**more) -> Retriever:
    return Retriever("newsletter test", **{"allowed": HERE, "limits": SMALL, **more})


def test_an_answer_has_status_headers_and_body(server: WebServer):
    server.answers["/feed"] = answer(b"<rss/>", headers={"ETag": '"1"', "Set-Cookie": "a=b"})

    with retriever().get(server.url("/feed"), {"If-None-Match": '"0"'}) as found:
        assert (found.status, found.read(), found.headers["etag"]) == (200, b"<rss/>", '"1"')
        assert (found.url, found.moved_to) == (server.url("/feed"), None)
    retriever().get(server.url("/feed")).close()

    first, second = server.asked
    assert first.headers["user-agent"] == "newsletter test"
    assert first.headers["if-none-match"] == '"0"'
    assert first.headers["host"] == f"127.0.0.1:{server.port}"
    assert "cookie" not in second.headers


def test_the_connection_goes_to_the_address_that_was_checked_although_dns_changes(
    server: WebServer,
):
    """The first look-up gives an allowed address. Any later one would give a refused address."""
    answers = [[ip_address("127.0.0.1")], [ip_address("169.254.169.254")]]
    asked = []

    def resolve(host, _port):
        asked.append(host)
        return answers.pop(0)

    server.answers["/"] = answer(b"here")
    with retriever(resolve=resolve).get(f"http://rebind.example:{server.port}/") as found:
        body = found.read()

    assert (body, asked) == (b"here", ["rebind.example"])
    assert server.asked[0].headers["host"] == f"rebind.example:{server.port}"


def test_a_host_is_refused_if_any_of_its_addresses_is_refused(server: WebServer):
    def resolve(_host, _port):
        return [ip_address("127.0.0.1"), ip_address("10.0.0.1")]

    with pytest.raises(FetchRefused, match=r"10\.0\.0\.1 is private"):
        retriever(resolve=resolve).get(f"http://two.example:{server.port}/")

    assert server.asked == []


def test_loopback_is_refused_by_default(server: WebServer):
    with pytest.raises(FetchRefused, match="loopback"):
        retriever(allowed=Allowed()).get(server.url())
    with pytest.raises(FetchRefused, match="loopback"):
        retriever(allowed=Allowed()).get(f"http://localhost:{server.port}/")

    assert server.asked == []


def test_an_allowed_host_may_have_any_address(server: WebServer):
    server.answers["/"] = answer(b"inside")

    with retriever(allowed=Allowed.of(["localhost"])).get(f"http://localhost:{server.port}/") as found:
        assert found.read() == b"inside"


def test_a_name_without_an_address_fails(server: WebServer):
    def resolve(_host, _port):
        raise OSError("no such host")

    with pytest.raises(FetchError, match=r"DNS has no address for gone\.example"):
        retriever(resolve=resolve).get(f"http://gone.example:{server.port}/")


@pytest.mark.parametrize(
    "place",
    [
        "http://10.0.0.1/",
        "http://[::1]/",
        "file:///etc/passwd",
        "http://0x7f.1/",
        "//169.254.169.254/",
        "ftp:a",
    ],
)
def test_a_redirect_is_checked_like_the_first_url(server: WebServer, place: str):
    server.answers["/"] = answer(b"", 302, {"Location": place})

    with pytest.raises(FetchRefused, match="it redirects to"):
        retriever().get(server.url())

    assert len(server.asked) == 1


def test_a_redirect_to_a_name_is_resolved_and_checked_again(server: WebServer):
    places = {"127.0.0.1": "127.0.0.1", "inside.example": "192.168.0.1"}
    server.answers["/"] = answer(b"", 302, {"Location": f"http://inside.example:{server.port}/"})

    with pytest.raises(FetchRefused, match=r"192\.168\.0\.1"):
        retriever(resolve=lambda host, _port: [ip_address(places[host])]).get(server.url())


def test_permanent_redirects_tell_where_the_url_moved(server: WebServer):
    server.answers |= {
        "/old": answer(b"", 301, {"Location": "/middle"}),
        "/middle": answer(b"", 308, {"Location": "/new"}),
        "/new": answer(b"now here"),
        "/partly": answer(b"", 301, {"Location": "/today"}),
        "/today": answer(b"", 302, {"Location": "/new"}),
        "/today-first": answer(b"", 307, {"Location": "/old"}),
    }
    get = retriever().get

    assert get(server.url("/old")).moved_to == server.url("/new")
    assert get(server.url("/partly")).moved_to == server.url("/today")
    assert get(server.url("/today-first")).moved_to is None
    assert get(server.url("/today-first")).url == server.url("/new")


def test_a_sixth_redirect_is_refused(server: WebServer):
    for at in range(6):
        server.answers[f"/{at}"] = answer(b"", 302, {"Location": f"/{at + 1}"})
    server.answers["/6"] = answer(b"end")

    assert retriever().get(server.url("/1")).read() == b"end"
    with pytest.raises(FetchRefused, match="more than 5 times"):
        retriever().get(server.url("/0"))


def compressed_bombs() -> dict[str, bytes]:
    plain = b"\0" * 10_000_000
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return {
        "gzip": gzip.compress(plain, 9),
        "br": brotli.compress(plain, quality=5),
        "deflate": packer.compress(plain) + packer.flush(),
        "gzip, br": brotli.compress(gzip.compress(plain, 9), quality=5),
    }


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, br"])
def test_a_bomb_stops_at_the_limit_while_it_is_decompressed(server: WebServer, encoding: str):
    bomb = compressed_bombs()[encoding]
    server.answers["/"] = answer(bomb, headers={"Content-Encoding": encoding})
    assert len(bomb) < SMALL.wire_bytes

    with pytest.raises(FetchRefused, match=r"larger than 0\.0953"):
        retriever().get(server.url())


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate"])
def test_a_compressed_answer_is_decompressed(server: WebServer, encoding: str):
    pack = {"gzip": gzip.compress, "br": brotli.compress, "deflate": zlib.compress}[encoding]
    server.answers["/"] = answer(pack(b"plain text"), headers={"Content-Encoding": encoding})

    assert retriever().get(server.url()).read() == b"plain text"
    assert server.asked[0].headers["accept-encoding"] == "gzip, deflate, br"


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Content-Encoding": "zstd"}, "compressed by zstd"),
        ({"Content-Encoding": "gzip, gzip, gzip"}, "more than twice"),
        ({f"X-{at}": "y" * 100 for at in range(60)}, "headers are too large"),
    ],
)
def test_an_answer_that_nobody_asked_for_is_refused(server: WebServer, headers, words):
    server.answers["/"] = answer(b"x", headers=headers)

    with pytest.raises(FetchRefused, match=words):
        retriever().get(server.url())


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",  # a body without an end
        b"HTTP/1.1 200 OK\r\n",  # headers without an end
        b"",  # a status line that never comes
    ],
)
def test_an_answer_without_an_end_stops_at_the_limit_of_bytes(server: WebServer, start: bytes):
    def endless(_asked: Asked):
        yield start
        while True:
            yield b"X-Name: " + b"y" * 1000 + b"\r\n"

    server.answers["/"] = endless

    with pytest.raises(FetchError):
        retriever().get(server.url())


def test_endless_interim_answers_stop_at_the_limit_of_bytes(server: WebServer):
    def endless(_asked: Asked):
        while True:
            yield b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

    server.answers["/"] = endless

    with pytest.raises(FetchRefused, match="larger than"):
        retriever().get(server.url())


def test_a_server_that_sends_a_byte_now_and_then_is_left_at_the_deadline(server: WebServer):
    server.answers["/body"] = server.byte_by_byte(b"HTTP/1.1 200 OK\r\n\r\n", 0.05)
    server.answers["/head"] = server.byte_by_byte(b"HTTP/1.1 200 OK\r\nX: ", 0.05)
    quick = retriever(limits=Limits(seconds=0.5))

    for path in ("/body", "/head"):
        with pytest.raises(FetchError, match="not answer in time"):
            quick.get(server.url(path))


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
def test_an_answer_that_is_not_http_fails(server: WebServer, said: bytes):
    server.answers["/"] = said

    with pytest.raises(FetchError):
        retriever().get(server.url())


def test_damaged_compression_fails(server: WebServer):
    server.answers["/"] = answer(b"no gzip at all", headers={"Content-Encoding": "gzip"})

    with pytest.raises(FetchError, match="damaged"):
        retriever().get(server.url())


def test_proxy_variables_are_ignored(server: WebServer, monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    server.answers["/"] = answer(b"straight")

    assert retriever().get(server.url()).read() == b"straight"


def test_tls_uses_the_name_and_checks_its_certificate(tmp_path: Path):
    authority = Authority(tmp_path)
    context = authority.server("news.example")
    asked_names = []
    context.sni_callback = lambda _socket, name, _context: asked_names.append(name)
    trusting = retriever(
        tls=ssl.create_default_context(cafile=authority.ca_file),
        resolve=lambda _host, _port: [ip_address("127.0.0.1")],
    )

    with serving(context) as server:
        server.answers["/"] = answer(b"secret")
        body = trusting.get(f"https://news.example:{server.port}/").read()
        with pytest.raises(FetchError, match="certificate"):
            trusting.get(f"https://other.example:{server.port}/")

    assert (body, asked_names) == (b"secret", ["news.example", "other.example"])


def test_a_large_body_is_kept_in_a_file(server: WebServer):
    server.answers["/"] = answer(b"x" * 400_000)

    with retriever(limits=Limits()).get(server.url()) as found:
        assert found.file.fileno() > 2
        assert found.size == len(found.read()) == 400_000
