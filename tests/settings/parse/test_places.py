"""Parsers for origins, pages, listeners, the database, the broker and networks."""

from __future__ import annotations

import pytest

from newsletter.settings.parse.places import (
    parse_bind,
    parse_broker_url,
    parse_database_url,
    parse_listeners,
    parse_networks,
    parse_origins,
    parse_pages,
)
from newsletter.settings.values import Listener


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://WWW.Example.org", ("https://www.example.org",)),
        ("https://www.example.org:443/, https://www.example.org", ("https://www.example.org",)),
        ("https://bücher.example:8443", ("https://xn--bcher-kva.example:8443",)),
        ("http://localhost:5000", ("http://localhost:5000",)),
        ("http://[::1]:5000", ("http://[::1]:5000",)),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(given, expected):
    assert parse_origins(given) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("http://www.example.org", "is not an origin"),
        ("https://user@www.example.org", "is not an origin"),
        ("www.example.org", "is a page|is not an origin"),
        ("https://www.example.org/page", "is a page"),
        ("https://www.example.org?x", "is a page"),
    ],
)
def test_what_is_no_origin_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        parse_origins(given)


def test_pages_are_kept_as_written():
    pages = "https://www.example.org/thanks?x=1, https://www.example.org/b"

    assert parse_pages(pages) == ("https://www.example.org/thanks?x=1", "https://www.example.org/b")


@pytest.mark.parametrize(
    "given", ["https://www.example.org/dänk", "https://www.example.org/a b", "http://www.example.org/"]
)
def test_a_page_that_a_header_cannot_hold_is_refused(given):
    with pytest.raises(ValueError, match="is not a"):
        parse_pages(given)


def test_a_listener_has_a_protocol_a_host_and_a_port():
    found = parse_listeners("SMTP://127.0.0.1:25, lmtp://[::1]:8024")

    assert found == (Listener("smtp", "127.0.0.1", 25), Listener("lmtp", "::1", 8024))
    for wrong in ("127.0.0.1:25", "http://127.0.0.1:25", "smtp://127.0.0.1"):
        with pytest.raises(ValueError, match="is not"):
            parse_listeners(wrong)


@pytest.mark.parametrize("given", ["mysql://db/news", "postgresql://db/news", "sqlite://"])
def test_only_the_two_databases_are_accepted(given):
    with pytest.raises(ValueError, match="is not a URL such as"):
        parse_database_url(given)


@pytest.mark.parametrize(
    "url", ["redis://queue:6379/0", "amqps://u:p@queue//", "redis+socket:///run/redis.sock"]
)
def test_a_broker_may_be_redis_or_rabbitmq(url):
    assert parse_broker_url(f" {url} ") == url


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("http://queue", "is not a URL"),
        ("redis://", "is not a URL"),
        ("amqp://u:p#w@queue:x/", "port that is not a number"),
    ],
)
def test_a_broker_url_that_cannot_work_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        parse_broker_url(given)


@pytest.mark.parametrize("given", ["127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x"])
def test_a_place_to_listen_needs_a_port(given):
    with pytest.raises(ValueError, match="is not host:port"):
        parse_bind(given)


def test_networks_may_be_single_addresses():
    assert [str(each) for each in parse_networks("127.0.0.1, 2001:db8::/32,")] == [
        "127.0.0.1/32",
        "2001:db8::/32",
    ]
    with pytest.raises(ValueError, match="has host bits set"):
        parse_networks("192.0.2.1/24")
