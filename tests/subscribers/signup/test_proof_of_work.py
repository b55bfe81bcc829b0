"""A proof of work: made by a browser, accepted once, and refused in every other form."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from datetime import timedelta

import pytest
from house import NOON, House

from newsletter.subscribers.signup.proof_of_work import LIVES, LONGEST, check_proof, new_challenge


def solve(challenge):
    """Return the lowest counter that solves a challenge, as the widget finds it."""
    given = challenge["parameters"]
    counter = 0
    while True:
        password = bytes.fromhex(given["nonce"]) + counter.to_bytes(4, "big")
        key = hashlib.pbkdf2_hmac(
            "sha256", password, bytes.fromhex(given["salt"]), given["cost"], given["keyLength"]
        )
        if key.hex().startswith(given["keyPrefix"]):
            return counter
        counter += 1


def sent(challenge, counter):
    """Return a proof as the widget sends it."""
    return b64encode(json.dumps({"challenge": challenge, "solution": {"counter": counter}}).encode()).decode()


def accepted(house: House, proof: str, now=NOON) -> bool:
    with house.runtime.session() as session:
        found = check_proof(session, house.runtime.tokens, proof, now)
        session.commit()
        return found


@pytest.fixture
def solved(house: House):
    """A challenge and its solution."""
    challenge = new_challenge(house.runtime.tokens, NOON)
    return challenge, solve(challenge)


def test_a_solved_challenge_is_accepted_once(house: House, solved):
    proof = sent(*solved)

    assert accepted(house, proof)
    assert not accepted(house, proof)


def test_a_challenge_can_be_used_until_it_expires(house: House, solved):
    assert not accepted(house, sent(*solved), NOON + LIVES + timedelta(seconds=1))
    assert accepted(house, sent(*solved), NOON + LIVES)


def test_an_easier_challenge_is_not_accepted(house: House, solved):
    challenge, counter = solved
    easier = {**challenge, "parameters": {**challenge["parameters"], "cost": 1}}

    assert not accepted(house, sent(easier, solve(easier)))
    assert not accepted(house, sent({**challenge, "signature": "\ud800"}, counter))


def test_a_counter_that_does_not_solve_it_is_not_accepted(house: House):
    challenge = new_challenge(house.runtime.tokens, NOON)
    while (counter := solve(challenge)) == 0:
        challenge = new_challenge(house.runtime.tokens, NOON)

    # `solve` found the lowest one, so the one before it is no solution.
    assert not accepted(house, sent(challenge, counter - 1))


@pytest.mark.parametrize(
    "proof",
    [
        "",
        "no base64!",
        "A" * (LONGEST + 4),
        b64encode(b"[]").decode(),
        b64encode(b"{}").decode(),
        b64encode(b'{"challenge": 1, "solution": 2}').decode(),
        b64encode(b'{"challenge": {"parameters": [], "signature": ""}, "solution": {"counter": 1}}').decode(),
        b64encode(
            b'{"challenge": {"parameters": {}, "signature": ""}, "solution": {"counter": true}}'
        ).decode(),
        b64encode(
            b'{"challenge": {"parameters": {}, "signature": ""}, "solution": {"counter": -1}}'
        ).decode(),
        b64encode(b"[" * 900).decode(),
    ],
)
def test_anything_else_is_refused(house: House, proof):
    assert not accepted(house, proof)
