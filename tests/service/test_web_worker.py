"""The web worker: slow clients delay nobody, and running requests are finished at the end."""

from __future__ import annotations

import os
import signal
import socket
import time
import urllib.error
import urllib.request

import pytest
from house import ENVIRON
from slow_clients import HALVES, ask, half_sent, is_open

from newsletter.service import web_worker
from newsletter.service.web_server import THREADS

HOST = "127.0.0.1"
SERVE = """
import os
from slow_clients import make_application
from newsletter.service.web_server import WebServer
from newsletter.settings import load_settings
WebServer(load_settings(os.environ), make_application).run()
"""
CLOSE = b"Host: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
def serve(start, tmp_path, free_port, eventually):
    """Return a function that serves an application with one process, and returns the process."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")},
        **ENVIRON,
        "NEWSLETTER_PUBLIC_URL": f"http://{HOST}:{free_port}",
        "NEWSLETTER_BIND": f"{HOST}:{free_port}",
        "NEWSLETTER_DATA_DIR": str(tmp_path / "data"),
        "NEWSLETTER_WEB_WORKERS": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": "tests",
    }

    def run(*, real: bool = False):
        command = ["-c", SERVE]
        if real:
            assert start("-m", "newsletter", "--env-file", "", "db", "upgrade", env=env).wait(60) == 0
            command = ["-m", "newsletter", "--env-file", "", "web"]
        process = start(*command, env=env)
        eventually(lambda: is_listening(free_port), seconds=90)
        return process

    return run


def is_listening(port: int) -> bool:
    try:
        return page(port, "/livez") == 200
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def page(port: int, path: str) -> int:
    """Return the status of a page. It fails if a blocked server does not answer in time."""
    with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=web_worker.HEAD_SECONDS) as answer:
        answer.read()
        return int(answer.status)


def test_pages_are_answered_while_500_connections_hold_half_sent_requests(serve, free_port):
    serve(real=True)

    with half_sent(free_port, 500) as held:
        statuses = [page(free_port, path) for path in ("/", "/livez", "/")]
        # The half-sent requests were still open, so no connection was closed to answer these.
        waiting = sum(map(is_open, held))

    assert statuses == [200, 200, 200]
    assert waiting == 500


def test_more_connections_than_there_are_places_end_the_longest_half_sent_request(serve, free_port):
    serve()

    with half_sent(free_port, web_worker.MOST_CONNECTIONS + 50, HALVES[:1]) as held:
        status = page(free_port, "/")
        gone = sum(not is_open(each) for each in held[:100])

    assert status == 200
    assert gone >= 50


def test_a_client_that_reads_none_of_its_responses_holds_no_thread(serve, free_port):
    serve()
    stuck = []
    for _ in range(THREADS * 3):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        line.connect((HOST, free_port))
        line.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        stuck.append(line)

    status = page(free_port, "/")

    assert status == 200
    for line in stuck:
        line.close()


def test_what_was_begun_is_answered_when_the_server_is_told_to_stop(serve, free_port):
    process = serve()
    with socket.create_connection((HOST, free_port), timeout=30) as line:
        line.sendall(b"GET /slow HTTP/1.1\r\n" + CLOSE)
        time.sleep(0.3)

        process.send_signal(signal.SIGTERM)
        answer = b"".join(iter(lambda: line.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 200")
    assert process.wait(timeout=20) == 0


def test_half_sent_requests_do_not_keep_the_server_from_ending(serve, free_port):
    process = serve()

    with half_sent(free_port, 20):
        process.send_signal(signal.SIGTERM)
        # The grace period for running requests is ten seconds.
        code = process.wait(timeout=9)

    assert code == 0


def test_requests_that_come_together_on_one_connection_are_answered_in_their_order(serve, free_port):
    serve()
    first = b"POST /one HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"

    answer = ask(free_port, first + b"GET /two HTTP/1.1\r\n" + CLOSE)

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.index(b"POST /one 127.0.0.1 3") < answer.index(b"GET /two 127.0.0.1 0")


def test_what_a_proxy_wrote_reaches_the_application_as_it_came(serve, free_port):
    serve()
    head = b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 198.51.100.2\r\nX-Forwarded-Proto: https\r\n"

    answer = ask(free_port, b"GET / HTTP/1.1\r\n" + head + CLOSE)

    assert b"127.0.0.1 0 192.0.2.7, 198.51.100.2 http" in answer


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 200000\r\n" + CLOSE, b"413"),
        (b"POST /webhooks HTTP/1.1\r\nContent-Length: 200000\r\n" + CLOSE, b"413"),
        (b"POST //webhooks/ses HTTP/1.1\r\nContent-Length: 200000\r\n" + CLOSE, b"413"),
        (b"POST /webhooks/ses HTTP/1.1\r\nContent-Length: 1100000\r\n" + CLOSE, b"413"),
        (
            b"POST /webhooks/ses HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
            + CLOSE
            + b"10cd00\r\n"
            + b"x" * 0x10CD00,
            b"413",
        ),
        (b"GET / HTTP/1.1\r\nCookie: " + b"x" * 40_000 + b"\r\n" + CLOSE, b"431"),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n" + CLOSE + b"abcd", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n" + CLOSE, b"400"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" + CLOSE, b"501"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + CLOSE + b"zz\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    ],
)
def test_a_request_that_is_too_large_or_wrong_is_refused(serve, free_port, request_bytes, status):
    serve()

    answer = ask(free_port, request_bytes)

    assert answer.split()[1] == status


def upload(path: bytes, size: int, more: bytes = b"Cookie: session=x\r\n") -> bytes:
    head = b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n" % (path, size) + more + CLOSE
    return head + b"x" * size


def test_only_a_form_with_an_image_may_be_large(serve, free_port):
    serve()
    size, form = 300_000, b"/admin/releases/abcdefghijkl/edit"

    answers = [
        ask(free_port, request)
        for request in (
            upload(form, size),
            upload(b"/admin/releases/new", size),
            upload(b"/admin/releases/preview", size),
            upload(b"/subscribe", size),
            upload(form, size, b""),
            upload(form, web_worker.MOST_UPLOAD_BYTES)[:1000],
        )
    ]

    assert [each.split()[1] for each in answers] == [b"200", b"200", b"200", b"413", b"413", b"413"]


def test_few_large_forms_are_received_at_the_same_time(serve, free_port):
    serve()
    form = upload(b"/admin/releases/new", 300_000)

    with half_sent(free_port, web_worker.MOST_UPLOADS, (form[:-1],)) as held:
        waiting = sum(map(is_open, held))
        refused = ask(free_port, form).split()[1]
    assert (waiting, refused) == (web_worker.MOST_UPLOADS, b"413")


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_webhook_may_have_a_large_body(serve, free_port, framing):
    serve()
    body = b"x" * 1024 * 1024
    head = b"POST /webhooks/ses HTTP/1.1\r\n"
    if framing == "length":
        sent = head + b"Content-Length: %d\r\n" % len(body) + CLOSE + body
    else:
        sent = (
            head + b"Transfer-Encoding: chunked\r\n" + CLOSE + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
        )

    assert b"POST /webhooks/ses 127.0.0.1 1048576" in ask(free_port, sent)


def test_few_large_calls_of_webhooks_are_received_at_the_same_time(serve, free_port):
    serve()
    call = upload(b"/webhooks/ses", 300_000, b"")

    with half_sent(free_port, web_worker.MOST_WEBHOOK_CALLS, (call[:-1],)) as held:
        waiting = sum(map(is_open, held))
        refused, small = (
            ask(free_port, call).split()[1],
            ask(free_port, upload(b"/webhooks/ses", 999, b"")).split()[1],
        )
    assert (waiting, refused, small) == (web_worker.MOST_WEBHOOK_CALLS, b"413", b"200")


def test_how_long_a_client_may_take():
    sends, waits = web_worker.sends_too_long, web_worker.waits_too_long

    assert [sends(each, head_read=False) for each in (14.9, 15.1)] == [False, True]
    assert [sends(each, head_read=True) for each in (29.9, 30.1)] == [False, True]
    assert [sends(each, head_read=True, is_upload=True) for each in (119.9, 120.1)] == [False, True]
    assert [waits(each, stalled=True) for each in (29.9, 30.1)] == [False, True]
    assert [waits(each, stalled=False) for each in (59.9, 60.1)] == [False, True]


def test_a_request_of_which_a_byte_comes_now_and_then_is_ended(serve, free_port):
    serve()
    started = time.monotonic()

    with socket.create_connection((HOST, free_port), timeout=1) as line:
        line.sendall(b"GET / HTTP/1.1\r\nX: ")
        ended = False
        while not ended and time.monotonic() - started < web_worker.HEAD_SECONDS * 3:
            try:
                line.sendall(b"x")
                ended = line.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True

    assert ended
