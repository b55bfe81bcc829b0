"""The defences of the sign-up form: a honeypot, proof of work, refused addresses, and trusted proxies."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import itertools
import json
import re

import pytest
from web.conftest import fields_of
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from newsletter.address_rules.pattern import parse_pattern
from newsletter.address_rules.rules import add_rule
from newsletter.limits.visits import VISITOR
from newsletter.models import RuleKind, SignupRequest, SpentChallenge
from newsletter.subscribers.signup.confirmation_limits import Trust
from newsletter.web.http.security import client_address

ANN = "ann@example.org"


def requests(visitor):
    return visitor.house.all(SignupRequest)


def solve(challenge):
    """Solve the challenge as the widget does."""
    parameters = challenge["parameters"]
    nonce, salt = bytes.fromhex(parameters["nonce"]), bytes.fromhex(parameters["salt"])
    for counter in itertools.count():
        password = nonce + counter.to_bytes(4, "big")
        key = hashlib.pbkdf2_hmac("sha256", password, salt, parameters["cost"], parameters["keyLength"])
        if key.hex().startswith(parameters["keyPrefix"]):
            return pack(challenge, counter, key.hex())
    raise AssertionError


def pack(challenge, counter, key="00"):
    solution = {"counter": counter, "derivedKey": key, "time": 100}
    return base64.b64encode(json.dumps({"challenge": challenge, "solution": solution}).encode()).decode()


@pytest.fixture
def guarded(visitor_with, house):
    """A visitor of an installation that asks for proof of work."""
    house.topic("energy")
    return visitor_with(altcha="yes")


def press_again(visitor, page, **data):
    """Send the form of a page back, with what a person sees in it."""
    visitor.house.clock.pass_(seconds=5)
    fields = {"email": ANN, "topics": ["energy"], "frequency": "daily", "seen": "yes"}
    return visitor.post("/", {**fields_of(page.text), **fields, **data})


def test_a_filled_trap_asks_for_one_more_press_and_keeps_the_entries(visitor):
    page = visitor.sign_up(website="https://spam.example")

    assert page.status_code == 200
    assert "perhaps by a password manager" in page.text
    assert f'value="{ANN}"' in page.text
    assert requests(visitor) == []


@pytest.mark.parametrize("filled_again", ["", "https://spam.example"])
def test_after_the_press_the_form_is_taken_and_trusted_less_if_filled_again(visitor, filled_again):
    page = visitor.sign_up(website="https://spam.example", seen="yes")

    answer = press_again(visitor, page, website=filled_again)

    assert (answer.status_code, answer.location) == (303, "/check-inbox")
    (request,) = requests(visitor)
    lowered = (Trust.NONE, 1)
    assert request.email == ANN
    assert ((request.trust, request.nth) == lowered) is bool(filled_again)


def test_the_press_counts_only_in_the_network_that_was_asked(visitor):
    page = visitor.sign_up(website="https://spam.example")
    elsewhere = {"environ_overrides": {"REMOTE_ADDR": "203.0.113.9"}}
    visitor.house.clock.pass_(seconds=5)
    fields = {"email": ANN, "topics": ["energy"], "frequency": "daily", "website": "x"}

    answer = visitor.post("/", {**fields_of(page.text), **fields}, **elsewhere)

    assert answer.status_code == 200
    assert requests(visitor) == []


def test_a_proof_of_work_stands_for_the_press_and_is_trusted_as_little(guarded):
    proof = solve(guarded.get("/challenge").json)

    answer = guarded.sign_up(website="https://spam.example", altcha=proof)

    assert answer.status_code == 303
    assert [(request.trust, request.nth) for request in requests(guarded)] == [(0, 1)]
    without = guarded.sign_up(website="https://spam.example")
    assert "perhaps by a password manager" in without.text


def test_password_managers_are_told_to_leave_the_field_alone(visitor):
    (field,) = re.findall(r'<input[^>]*name="website"[^>]*>', visitor.get("/").text)

    for attribute in (
        *('autocomplete="off"', 'tabindex="-1"', 'data-1p-ignore="true"', 'data-lpignore="true"'),
        *('data-bwignore="true"', 'data-form-type="other"'),
    ):
        assert attribute in field


def test_the_trap_is_counted_like_any_form(visitor):
    statuses = [
        visitor.sign_up("bot@example.org", seconds=2, website="x").status_code
        for _ in range(int(VISITOR.burst) + 3)
    ]

    assert 429 in statuses


def test_a_form_that_a_hand_was_seen_at_says_so_and_one_without_javascript_is_taken_too(visitor):
    visitor.sign_up(ANN, seen="yes")
    visitor.sign_up("bob@example.org", seconds=2)

    assert [(request.trust, request.nth) for request in requests(visitor)] == [(1, 0), (0, 1)]


def test_a_proof_of_work_counts_once(guarded):
    proof = solve(guarded.get("/challenge").json)

    answers = [guarded.sign_up(email, altcha=proof) for email in (ANN, "bob@example.org")]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert [request.trust for request in requests(guarded)] == [2, 0]
    assert len(guarded.house.all(SpentChallenge)) == 1


def test_a_proof_that_is_too_old_is_none(guarded):
    proof = solve(guarded.get("/challenge").json)
    guarded.house.clock.pass_(minutes=31)

    guarded.sign_up(ANN, altcha=proof)

    assert [request.trust for request in requests(guarded)] == [0]


def test_who_brings_no_proof_is_taken_all_the_same(guarded):
    answer = guarded.sign_up(ANN)
    guarded.resolve()

    assert answer.status_code == 303
    assert [mail.template for mail in guarded.mails()] == ["confirm"]


def changed(challenge, **parameters):
    return {**challenge, "parameters": {**challenge["parameters"], **parameters}}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda challenge: "",
        lambda challenge: "nonsense",
        lambda challenge: "%%%",
        lambda challenge: "A" * 5000,
        lambda challenge: base64.b64encode(b"[]").decode(),
        lambda challenge: base64.b64encode(b'{"challenge": 1, "solution": 2}').decode(),
        lambda challenge: base64.b64encode(b"[" * 1200).decode(),
        lambda challenge: pack(challenge, 2**32),
        lambda challenge: pack(challenge, -1),
        lambda challenge: pack(challenge, True),
        lambda challenge: pack(challenge, "1"),
        lambda challenge: pack({**challenge, "signature": "é"}, 1),
        lambda challenge: pack({**challenge, "signature": "\ud800"}, 1),
        lambda challenge: pack({**challenge, "signature": None}, 1),
        lambda challenge: solve(changed(challenge, keyPrefix="")),
        lambda challenge: solve(changed(challenge, cost=1)),
        lambda challenge: solve(changed(challenge, expiresAt=4102444800)),
    ],
)
def test_what_is_no_proof_of_ours_is_none_and_breaks_nothing(guarded, spoil):
    proof = spoil(guarded.get("/challenge").json)

    answer = guarded.sign_up(ANN, altcha=proof)

    assert answer.status_code == 303
    assert [request.trust for request in requests(guarded)] == [0]


def test_a_challenge_is_made_only_where_one_is_asked_for(guarded, visitor_with):
    answer = guarded.get("/challenge")

    assert visitor_with().get("/challenge").status_code == 404
    assert "altcha-widget" not in visitor_with().get("/").text
    assert "altcha-widget" in guarded.get("/").text
    assert answer.headers["Cache-Control"] == "no-store"


def test_throw_away_and_shared_mailboxes_are_refused_by_setting_only(visitor_with, house, tmp_path):
    house.topic("energy")
    listed = tmp_path / "domains.txt"
    listed.write_text("# of our own\nthrown.example   # since May\nžinios.example\n", "utf-8")
    strict = visitor_with(refuse_disposable="yes", refuse_role="yes", disposable_domains_file=str(listed))
    refused = [
        "ann@mailinator.com",
        "ann@deep.mailinator.com",
        "ann@thrown.example",
        "ann@žinios.example",
        "Postmaster@example.org",
        "abuse+1@example.org",
    ]
    taken = ["ann@example.org", "info@example.org", "ann@plain-mailinator.example.org"]

    pages = [strict.sign_up(email) for email in refused]
    house.clock.pass_(hours=1)

    assert [page.status_code for page in pages] == [422] * len(refused)
    assert "enter a permanent address" in pages[0].text
    assert "enter a personal address" in pages[4].text
    assert [strict.sign_up(email).status_code for email in taken] == [303] * len(taken)
    assert visitor_with().sign_up("ann@mailinator.com").status_code == 303


def test_a_rule_allows_a_disposable_domain_on_the_form(visitor_with, house):
    house.topic("energy")
    strict = visitor_with(refuse_disposable="yes")
    assert strict.sign_up("ann@mailinator.com").status_code == 422
    with house.runtime.session() as session:
        pattern = parse_pattern("mailinator.com")
        add_rule(session, pattern, RuleKind.ALLOWED, "", "owner", house.clock())
        session.commit()

    assert strict.sign_up("ann@mailinator.com").status_code == 303
    assert strict.sign_up("ann@deep.mailinator.com").status_code == 422


def test_the_workers_are_asked_for_each_stored_form_and_for_no_other(visitor):
    for email, status in ((ANN, 303), ("ann", 422), ("bob@example.org", 303)):
        assert visitor.sign_up(email).status_code == status
    assert visitor.woken == ["signups"] * 2

    emails = [f"reader{number}@example.org" for number in range(int(VISITOR.burst) + 5)]
    statuses = [visitor.sign_up(email).status_code for email in emails]

    assert set(statuses) == {303, 429}
    assert visitor.woken == ["signups"] * len(requests(visitor))


TRUSTED = [
    ipaddress.ip_network(each) for each in ("10.0.0.0/8", "127.0.0.1/32", "2001:db8:9::/48", "::1/128")
]


def asked_by(remote, *forwarded):
    headers = [("X-Forwarded-For", value) for value in forwarded]
    environ = EnvironBuilder(headers=headers).get_environ()
    environ["REMOTE_ADDR"] = remote
    return client_address(Request(environ), TRUSTED)


@pytest.mark.parametrize(
    ("remote", "forwarded", "person"),
    [
        # Without a proxy, the visitor's address is that of the connection.
        ("198.51.100.1", ["192.0.2.1"], "198.51.100.1"),
        ("198.51.100.1", ["10.0.0.1"], "198.51.100.1"),
        ("", ["192.0.2.1"], ""),
        # One proxy: the last address is the one it saw. A visitor can write any address to the left of it.
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["203.0.113.66, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["127.0.0.1, 10.0.0.9, 192.0.2.1"], "192.0.2.1"),
        # Two proxies, and two headers: they are read as one, from the right.
        ("10.0.0.1", ["203.0.113.66, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        ("10.0.0.1", ["203.0.113.66", "192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.1", "10.0.0.2"], "192.0.2.1"),
        # If the proxy sent no valid address, the proxy's own address counts. A visitor can write the others.
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.66, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.66, 192.0.2.1:1234"], "192.0.2.1"),
        ("10.0.0.1", ["203.0.113.66, 192.0.2.1;"], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1,,"], "192.0.2.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        # IPv6, bare and as some proxies write it, and IPv4 mapped into IPv6.
        ("::1", ["2001:db8::7"], "2001:db8::7"),
        ("2001:db8:9::1", ["203.0.113.66, [2001:db8::7]:443"], "2001:db8::7"),
        ("2001:db8:9::1", ["203.0.113.66, [2001:db8::7]"], "2001:db8::7"),
        ("::ffff:10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["203.0.113.66, ::ffff:192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["203.0.113.66, 192.0.2.1, ::ffff:10.0.0.2"], "192.0.2.1"),
        ("::ffff:198.51.100.1", ["192.0.2.1"], "198.51.100.1"),
    ],
)
def test_only_what_trusted_proxies_wrote_is_believed(remote, forwarded, person):
    assert asked_by(remote, *forwarded) == person
