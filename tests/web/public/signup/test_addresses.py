"""Public lists of difficult addresses at the sign-up form: no server error, and the right decision each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import select

from newsletter.models import SignupRequest

LISTS = Path(__file__).parents[3] / "data" / "addresses"
WHITE_SPACE = " \r\n"


def read(name: str) -> list[list[Any]]:
    return json.loads((LISTS / name).read_text("utf-8"))


@pytest.fixture
def taken_as(visitor):
    """Send an address as typed; return the stored address, or None if the form was shown again."""

    def send(typed: str) -> str | None:
        fields = dict(re.findall(r'name="(\w+)" type="hidden" value="([^"]*)"', visitor.get("/").text))
        # The limits for one visitor are not tested here.
        visitor.house.clock.pass_(minutes=2)
        # A form can contain any bytes, even halves of characters.
        email = quote(typed.encode("utf-8", "surrogatepass"), safe="")
        body = urlencode({**fields, "topics": "energy", "frequency": "daily"}) + f"&email={email}"
        answer = visitor.post("/", body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code in {303, 422}, f"{typed!r}: {answer.status_code}"
        with visitor.house.runtime.session() as session:
            newest = session.scalars(select(SignupRequest).order_by(SignupRequest.id.desc())).first()
            if answer.status_code == 422:
                assert newest is None or newest.resolved_at is not None, f"{typed!r} was kept all the same"
                return None
            assert newest is not None
            newest.resolved_at = newest.created_at
            session.commit()
            return newest.email

    return send


def test_the_addresses_of_isemail(taken_as):
    wrong = {}

    for typed, diagnosis in read("isemail.json"):
        # Some addresses are valid by RFC 5322 but used by nobody (quoted names, comments, literals). We
        # reject them, because a typing error is more likely. White space around an address is accepted,
        # because it comes with copying. DNS is not asked about a domain: the confirmation shows whether email
        # arrives.
        valid = diagnosis == "VALID" or diagnosis.startswith("DNSWARN_")
        expected = typed.strip(WHITE_SPACE) if valid or _only_surrounded(typed) else None
        found = taken_as(typed)
        if found != expected:
            wrong[typed] = (diagnosis, expected, found)

    assert wrong == {}


def _only_surrounded(typed: str) -> bool:
    return typed != typed.strip(WHITE_SPACE) and typed.strip(WHITE_SPACE) == "test@iana.org"


def test_the_addresses_of_email_validator(taken_as):
    wrong = {}

    for kind, typed, normal in read("email-validator.json"):
        expected = normal if kind == "valid" and not {'"', "<"} & set(typed) else None
        if typed.strip("\n") == "my@example.com":
            expected = "my@example.com"  # copied with the line's end
        if typed == "\ud800@example.org":
            expected = "%ED%A0%80@example.org"  # half a character is no text: Werkzeug quotes such bytes
        elif expected is not None:
            local, _, domain = expected.rpartition("@")
            expected = f"{local}@{domain.encode('idna').decode()}"  # domains are kept in ASCII
        found = taken_as(typed)
        if found != expected:
            wrong[typed] = (kind, expected, found)

    assert wrong == {}
