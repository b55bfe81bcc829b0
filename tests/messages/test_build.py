"""The return path, and the signed token in Message-ID and header that identifies a returned email."""

from __future__ import annotations

from pathlib import Path

import pytest
from house import House, make_house, make_settings
from memory_transport import MemoryTransport

from newsletter.mail.verp import parse_delivery_token, parse_return_path
from newsletter.outbox.enqueue import enqueue_notice
from newsletter.smtp.outcomes import Envelope, Fate, Outcome, Step
from newsletter.smtp.replies import Reply


def a_digest_and_a_single_email(house: House) -> None:
    house.add_subscriber(house.topic("energy"), name="ann")
    house.release("A new energy cable")
    house.open()
    with house.runtime.session() as session:
        enqueue_notice(
            session,
            recipient="owner@example.org",
            template="notice",
            context={"title": "Hello", "sentence": "Something happened.", "remedy": "Mend it."},
            purpose_key="notice:1",
            language="en",
            now=house.clock(),
        )
        session.commit()


def header(content: bytes, name: str) -> str:
    (value,) = [
        line.partition(b": ")[2].decode()
        for line in content.partition(b"\r\n\r\n")[0].split(b"\r\n")
        if line.lower().startswith(name.lower().encode() + b":")
    ]
    return value


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"return_path": "letter@press.example"}, "letter@press.example"),
        (
            {"relay": "smtp://127.0.0.1:2525?return_path=own@press.example", "return_path": "x@y.example"},
            "own@press.example",
        ),
        ({"return_path_domain": "bounces.example.org"}, "bounces.example.org"),
        ({}, "example.org"),
    ],
)
def test_the_envelope_sender_is_the_plain_return_path_or_a_signed_one(tmp_path: Path, more, path):
    house = make_house(make_settings(tmp_path, **more))
    a_digest_and_a_single_email(house)

    house.drain()

    key = house.runtime.tokens.derived_key("return-path")
    senders = [sent.envelope.return_path for sent in house.transport.sent]
    assert len(senders) == 2
    if "@" in path:
        assert senders == [path, path]
    else:
        assert {each.rpartition("@")[2] for each in senders} == {path}
        assert {parse_return_path(each, [key]) for each in senders} == {"1", "2"}
    house.runtime.engine.dispose()


@pytest.mark.parametrize("name", ["X-Newsletter-Token", "X-PM-Metadata-Delivery"])
def test_message_id_and_a_header_carry_the_signed_token_at_each_attempt(tmp_path: Path, name: str):
    relay = "smtp://127.0.0.1:2525" + ("" if "Newsletter" in name else f"?token_header={name}")
    house = make_house(make_settings(tmp_path, relay=relay, return_path="letter@press.example"))
    a_digest_and_a_single_email(house)
    key = house.runtime.tokens.derived_key("return-path")
    seen: list[bytes] = []
    later = Outcome(Fate.REPLIED, Step.CONTENT, Reply(451, ("4.3.0 later",)))

    class Seeing(MemoryTransport):
        def _deliver(self, envelope: Envelope, content: bytes) -> Outcome:
            seen.append(content)
            return super()._deliver(envelope, content)

    house.transport = Seeing()
    house.transport.answer("ann@example.org", later)
    house.drain()
    house.clock.pass_(hours=1)
    house.drain()

    ids = [parse_delivery_token(header(content, "Message-ID"), [key]) for content in seen]
    marks = [parse_delivery_token(header(content, name), [key]) for content in seen]
    assert ids == marks
    assert sorted(str(each) for each in ids) == ["1", "1", "2"]
    digests = [content for content, number in zip(seen, ids, strict=True) if number == "1"]
    assert len({header(content, "Message-ID") for content in digests}) == 1
    house.runtime.engine.dispose()
