"""Each newsletter's relay, envelope sender, Message-ID and signature follow its From address."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import dkim
import pytest
from house import House, make_house, make_settings

from newsletter.mail.dkim import generate_key
from newsletter.messages.sender import Sender
from newsletter.newsletters.add import add_newsletter
from newsletter.newsletters.edit import edit_newsletter
from newsletter.outbox.enqueue import enqueue_single


def key_file(folder: Path, name: str) -> tuple[Path, bytes]:
    """Write a key; return its file and its DNS record."""
    pem, record = generate_key("rsa")
    file = folder / f"{name}.pem"
    file.write_text(pem)
    return file, record.encode()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[tuple[House, dict[bytes, bytes]]]:
    """A house with three newsletters: two domains have a key, and the third has none."""
    first, first_record = key_file(tmp_path, "first")
    second, second_record = key_file(tmp_path, "second")
    settings = make_settings(
        tmp_path,
        dkim_key_file=str(first),
        dkim_selector="one",
        dkim_keys=f"harbour.example=two:{second}",
        relays="harbour.example=smtp://relay.harbour.example?return_path=bounces@harbour.example",
    )
    house = make_house(settings)
    with house.runtime.session() as session:
        for slug, address in (("harbour", "desk@harbour.example"), ("quay", "news@quay.example")):
            fields = {"name": slug.title(), "from_address": address}
            add_newsletter(session, settings, slug=slug, fields=fields, actor="test", now=house.clock())
        session.commit()
    yield (
        house,
        {
            b"one._domainkey.example.org.": first_record,
            b"two._domainkey.harbour.example.": second_record,
        },
    )
    house.runtime.engine.dispose()


def senders(house: House) -> dict[str, Sender]:
    return {each.identity.slug: each for each in house.runtime.senders()}


def test_emails_are_signed_with_the_key_of_their_domain_and_others_are_not_signed(town):
    house, records = town
    subscriber = house.add_subscriber(house.topic("energy"))
    for sender in house.runtime.senders():
        with house.runtime.session() as session:
            enqueue_single(
                session, subscriber_id=subscriber, template="link", context={}, language="en",
                purpose_key=f"test:{sender.newsletter_id}", now=house.clock(),
                newsletter_id=sender.newsletter_id,
            )  # fmt: skip
            session.commit()

    house.drain("single")

    sent = {}
    for each in house.transport.sent:
        email = message_from_bytes(each.content, policy=policy.default)
        sent[email["From"].addresses[0].domain] = (each, email)
    assert set(sent) == {"example.org", "harbour.example", "quay.example"}
    for domain, (each, email) in sent.items():
        assert email["Message-ID"].endswith(f"@{domain}>")
        signed = dkim.verify(each.content, dnsfunc=lambda name, timeout=5: records.get(name))
        assert signed == (domain != "quay.example")
        assert ("DKIM-Signature" in email) == signed
    assert sent["example.org"][0].envelope.return_path.endswith("@example.org")
    assert sent["harbour.example"][0].envelope.return_path == "bounces@harbour.example"
    assert sent["quay.example"][0].envelope.return_path.endswith("@quay.example")


def test_the_sentence_about_a_missing_key_names_newsletter_domain_and_setting(town):
    house, _ = town

    told = {slug: sender.missing_key for slug, sender in senders(house).items()}

    assert [slug for slug, sentence in told.items() if sentence] == ["quay"]
    for name in ("“Quay”", "quay.example", "newsletter dkim new", "NEWSLETTER_DKIM_KEYS"):
        assert name in (told["quay"] or "")


def test_the_relay_is_chosen_by_the_from_address(town):
    house, _ = town

    assert {slug: each.relay.host for slug, each in senders(house).items()} == {
        "news": "127.0.0.1",
        "harbour": "relay.harbour.example",
        "quay": "127.0.0.1",
    }


def test_an_edit_changes_relay_and_key_at_the_next_reading(town):
    house, _ = town
    with house.runtime.reading() as session:
        house.runtime.messages.refresh(session)
        before = house.runtime.messages.senders.every(session)[2]
    with house.runtime.session() as session:
        given = {"from_address": "quay@harbour.example"}
        edit_newsletter(
            session, house.runtime.settings, given, actor="test", now=house.clock(), newsletter_id=3
        )
        session.commit()

    with house.runtime.reading() as session:
        house.runtime.messages.refresh(session)
        after = house.runtime.messages.senders.every(session)[2]
        relays = house.runtime.messages.senders.relays(session)

    assert (before.relay.host, len(before.keys)) == ("127.0.0.1", 0)
    assert (after.relay.host, len(after.keys)) == ("relay.harbour.example", 1)
    assert len(relays) == 2
