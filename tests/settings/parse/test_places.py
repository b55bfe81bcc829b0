"""Parsers for origins, pages, listeners, the database, the broker and networks."""

from __future__ import annotations

import pytest

from newsletter.settings.parse.common import PERCENT_ENCODE
from newsletter.settings.parse.places import (
    parse_bind,
    parse_broker_url,
    parse_database_url,
    parse_listeners,
    parse_networks,
    parse_origins,
    parse_pages,
    parse_web_address,
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


@pytest.mark.parametrize("given", ["sqlite:///", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(given):
    with pytest.raises(ValueError, match="names no file"):
        parse_database_url(given)


def test_an_at_sign_in_the_password_of_the_database_is_refused_and_others_are_accepted():
    with pytest.raises(ValueError, match="has a second @") as caught:
        parse_database_url("postgresql+psycopg://news:qZ7@9vX@db/news")

    assert "9vX" not in str(caught.value)
    accepted = "postgresql+psycopg://news:a/b#c[d@db/news?application_name=x@y"
    assert parse_database_url(accepted) == accepted


@pytest.mark.parametrize("given", ["mysql://db/news", "postgresql://db/news", "sqlite://"])
def test_only_the_two_databases_are_accepted(given):
    with pytest.raises(ValueError, match="is not a URL such as"):
        parse_database_url(given)


@pytest.mark.parametrize(
    "url",
    [
        "redis://queue:6379/0",
        "redis://:p@/1",
        "amqps://u:p@queue//",
        "amqp://u:p@one//;amqp://u:p@two//",
        "sentinel://:p@one:26379;sentinel://:p@two:26379",
        "redis+socket:///run/redis.sock",
    ],
)
def test_a_broker_may_be_redis_or_rabbitmq(url):
    assert parse_broker_url(f" {url} ") == url


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("http://queue", "is not a URL"),
        ("redis://", "is not a URL"),
        ("amqp://queue:x//", "no host and port"),
        ("amqp://queue:99999//", "not a number from 1"),
        ("amqp://u:p;w@queue//", "%3B"),
    ],
)
def test_a_broker_url_that_cannot_work_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        parse_broker_url(given)


@pytest.mark.parametrize("password", ["12/34", "12#34", "12?34", "12[34", "qZ7/9vX"])
@pytest.mark.parametrize("url", ["amqp://ann:{}@queue.example.org//", "redis://:{}@queue.example.org/0"])
def test_a_broker_url_with_a_reserved_character_in_its_password_is_refused(url, password):
    with pytest.raises(ValueError, match="Percent-encode") as caught:
        parse_broker_url(url.format(password))

    assert str(caught.value) == PERCENT_ENCODE


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("ftp://hooks.example.org", "is not a URL"),
        ("https://", "no host and port"),
        ("https://hooks.example.org:99999/x", "not a number from 1"),
        ("https://ann:pa#ss@hooks.example.org/x", "Percent-encode"),
        ("https://ann:pa[ss@hooks.example.org/x", "Percent-encode"),
    ],
)
def test_a_web_address_whose_host_cannot_be_read_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        parse_web_address(given)


def test_a_web_address_may_have_a_password_and_an_at_sign_in_its_path():
    given = "https://ann:secret@hooks.example.org:8443/@owner?to=a@example.org"

    assert parse_web_address(f" {given} ") == given


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
