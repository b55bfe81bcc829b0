"""Tests of which URLs and addresses are fetched."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from newsletter.errors import FetchRefused
from newsletter.ingest.guard import Allowed, check_address, check_url, closed_reason

NOWHERE = Allowed()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.8.8.8/",
        "http://0.0.0.0/",
        "http://10.1.2.3/",
        "http://172.31.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://192.0.0.8/",
        "http://198.18.0.1/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://240.0.0.1/",
        "http://127.0.0.1./",
        "http://[::1]/",
        "http://[::]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fc00::1]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:8.8.8.8]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b:1::1]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:c0a8:101::1]/",
        "http://[2001:0:1::1]/",
        "http://[2001:db8::1]/",
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://127.1/",
        "http://127.0.1/",
        "http://0177.0.0.1/",
        "http://host.0x1/",
        "http://127。0。0。1/",
        "http://①②⑦.⓪.⓪.①/",
        "file:///etc/passwd",
        "ftp://example.org/",
        "gopher://example.org/",
        "//example.org/feed",
        "example.org/feed",
        "http:///feed",
        "http://user:secret@example.org/",
        "http://user@example.org/",
        "http://example.org:22/",
        "http://example.org:25/",
        "http://exam ple.org/",
        "http://example.org/a\nHost: other",
        "http://example.org\\@127.0.0.1/",
        "http://example.org/" + "a" * 2000,
    ],
)
def test_a_url_that_leads_inside_or_is_no_plain_web_address_is_refused(url):
    with pytest.raises(FetchRefused):
        check_url(url, NOWHERE)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.org/feed.xml", "example.org", 443),
        ("http://EXAMPLE.org:8080/feed", "example.org", 8080),
        ("https://täst.example/", "xn--tst-qla.example", 443),
        ("http://8.8.8.8/", "8.8.8.8", 80),
        ("http://[2606:4700::1111]/", "2606:4700::1111", 80),
        ("http://[64:ff9b::808:808]/", "64:ff9b::808:808", 80),
        ("http://[2002:808:808::1]/", "2002:808:808::1", 80),
        ("https://example.org./#part", "example.org", 443),
        ("https://3com.example/", "3com.example", 443),
    ],
)
def test_a_public_url_is_allowed(url, host, port):
    target = check_url(url, NOWHERE)

    assert (target.host, target.port) == (host, port)
    assert "#" not in target.text


def test_the_allow_list_opens_its_networks_and_hosts_alone():
    allowed = Allowed.of(["10.1.0.0/16", "fd00::/64", "intranet.example.org"])

    assert check_url("http://10.1.2.3:25/", allowed).port == 25
    assert check_url("http://[fd00::5]/", allowed).host == "fd00::5"
    assert check_url("http://INTRANET.example.org/", allowed).allowed_host
    assert not check_url("http://other.example.org/", allowed).allowed_host
    for url in ("http://10.2.0.1/", "http://[fd00:1::5]/", "ftp://10.1.2.3/", "http://a@10.1.2.3/"):
        with pytest.raises(FetchRefused):
            check_url(url, allowed)


def test_an_address_is_refused_with_its_reason():
    with pytest.raises(FetchRefused, match=r"169\.254\.169\.254 is link-local"):
        check_address(ip_address("169.254.169.254"), "http://example.org/", NOWHERE)

    assert (
        closed_reason(ip_address("64:ff9b::a00:1"))
        == "a NAT64 address whose IPv4 address is private or reserved"
    )
    assert closed_reason(ip_address("2002:7f00:1::")) == (
        "a 6to4 address whose IPv4 address is this machine (loopback)"
    )
    assert closed_reason(ip_address("9.9.9.9")) == ""
