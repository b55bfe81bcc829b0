"""Whether a domain can receive email, by the answers of a name server on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from newsletter.service.checks.mail_exchange import why_no_email

ZONE = {
    ("mail.example", "MX"): "10 mx.mail.example.",
    ("two.example", "MX"): ("0 .", "10 mx.mail.example."),
    ("null.example", "MX"): "0 .",
    ("host.example", "A"): "192.0.2.1",
    ("six.example", "AAAA"): "2001:db8::1",
    ("bare.example", "TXT"): '"v=spf1 -all"',
}


def answer(query: dns.message.Message) -> dns.message.Message:
    """Return what a name server with these records answers."""
    (question,) = query.question
    name, kind = question.name.to_text(omit_final_dot=True), question.rdtype.name
    made = dns.message.make_response(query)
    made.flags |= dns.flags.RA
    if name == "broken.example":
        made.set_rcode(dns.rcode.SERVFAIL)
    elif not any(known == name for known, _ in ZONE):
        made.set_rcode(dns.rcode.NXDOMAIN)
    elif (name, kind) in ZONE:
        found = ZONE[name, kind]
        records = (found,) if isinstance(found, str) else found
        made.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, list(records)))
    return made


@pytest.fixture
def resolver() -> Iterator[dns.resolver.Resolver]:
    """A resolver that asks a name server on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        stop = threading.Event()

        def serve() -> None:
            while True:
                data, client = server.recvfrom(4096)
                if stop.is_set():
                    return
                server.sendto(answer(dns.message.from_wire(data)).to_wire(), client)

        thread = threading.Thread(target=serve)
        thread.start()
        made = dns.resolver.Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], server.getsockname()[1]
        yield made
        stop.set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", server.getsockname())
        thread.join()


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ("mail.example", ""),
        ("two.example", ""),  # a null MX counts alone only
        ("host.example", ""),
        ("six.example", ""),
        ("null.example", "The domain null.example says that it accepts no email (a null MX record)."),
        ("bare.example", "The domain bare.example has no MX record and no address."),
        ("gone.example", "There is no domain gone.example."),
        ("broken.example", ""),
        ("a..b", ""),
    ],
)
def test_a_domain_without_a_mail_server_is_named(resolver, domain: str, words: str):
    assert why_no_email(domain, resolver) == words


def test_nothing_is_said_if_the_name_server_does_not_answer():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        made = dns.resolver.Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], silent.getsockname()[1]
        made.lifetime = 0.2

        assert why_no_email("mail.example", made) == ""
