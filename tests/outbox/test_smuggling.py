"""Whatever stands in a field, a message is one message: no bare CR or LF, no lone dot, no other header."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from house import NOON, House, make_house, make_settings
from sqlalchemy import update

from newsletter.models import Release, Subscriber, Topic
from newsletter.outbox.enqueue import enqueue_single
from newsletter.smtp.commands import stuff_dots
from newsletter.smtp.outcomes import WholeLines

# Each ends a message for some relay: SMTP smuggling, and the headers and commands that would follow.
TRICKS = [
    "\r\n.\r\nMAIL FROM:<evil@example.net>\r\n",
    "\n.\n",
    "\r.\r",
    "\n.\r\n",
    "\r\n.\n",
    "\x00\r\x00\n\x0b.\x0c\x1c.\x1d.\x1e",
    "\u2028.\u2029.\x85.\u2028",
    "\r\nBcc: victim@example.net\r\nX-Injected: 1\r\n\r\n",
    "=?utf-8?q?=0D=0AX-Injected:_1?=",
    ". begins a line\r\n..\r\nFrom here on",
    "é" * 37 + "." * 300 + " " + "." * 90,
    '", <evil@example.net>, "',
]


def house_of(folder: Path, trick: str) -> House:
    """Return a house with `trick` in every text that goes into its emails."""
    settings = replace(
        make_settings(folder, unsubscribe_address="leave@example.org"),
        site_name=f"Letter{trick}site",
        tagline=f"a{trick}tagline",
        from_name=f"Ed{trick}itor",
        postal_address=f"Harbour{trick}Road 1",
    )
    return make_house(settings)


def send_everything(house: House, trick: str) -> None:
    """Send a digest of several releases, and each kind of email with the newsletter's or releases' names."""
    energy = house.topic("energy")
    subscribers = [house.add_subscriber(energy, name=f"{name}") for name in ("ann", "ben")]
    releases = [house.release(f"Energy {number}") for number in range(6)]
    with house.runtime.session() as session:
        for release_id in releases:
            session.execute(
                update(Release)
                .where(Release.id == release_id)
                .values(
                    title=f"Energy{trick}{release_id}", publisher=f"Port{trick}", summary=f"{trick}sum",
                    body_html=f"<p>{trick}</p>", body_text=trick, canonical_url=None,
                )
            )  # fmt: skip
        session.execute(update(Topic).values(name=f"Ene{trick}rgy"[:120]))
        session.execute(update(Subscriber).where(Subscriber.id == subscribers[1]).values(language="de"))
        named = {"title": f"One{trick}", "publisher": f"Port{trick}", "summary": trick}
        welcome = {
            "releases": [{"id": "abc", "date": "2026-03-10", **named}],
            "topics": [f"Ene{trick}rgy"],
        }
        for template, context in (("welcome", welcome), ("link", {})):
            enqueue_single(
                session, subscriber_id=subscribers[0], template=template, context=context,
                purpose_key=template, language="en", now=NOON,
            )  # fmt: skip
        session.commit()
    house.open()
    house.drain()


@pytest.mark.parametrize("trick", TRICKS)
def test_no_field_can_end_a_message_or_begin_another(tmp_path: Path, trick: str):
    house = house_of(tmp_path, trick)

    send_everything(house, trick)

    assert house.recipients() == ["ann@example.org"] * 3 + ["ben@example.org"], house.states()
    assert {type(each.content) for each in house.transport.sent} == {bytes, WholeLines}
    for sent in house.transport.sent:
        plain = bytes(sent.content)
        # A digest is not searched when it is sent; it is here.
        assert stuff_dots(plain) == plain
        assert max(map(len, plain.split(b"\r\n"))) <= 998
        message = message_from_bytes(plain, policy=policy.default)
        assert all(part.defects == [] for part in message.walk())
        assert len(message.keys()) == len({name.lower() for name in message})
        assert not {"bcc", "x-injected"} & {name.lower() for name in message}
        assert [each.addr_spec for each in message["From"].addresses] == ["letter@example.org"]
        assert [each.addr_spec for each in message["To"].addresses] == [sent.envelope.recipient]
        assert message["Date"].datetime == datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
        body = plain.partition(b"\r\n\r\n")[2]
        assert max(map(len, body.split(b"\r\n"))) <= 76
    house.runtime.engine.dispose()
