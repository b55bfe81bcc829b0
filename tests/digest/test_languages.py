"""Each subscriber gets an issue in their own language; releases stay in theirs."""

from __future__ import annotations

from email import message_from_bytes, policy

from house import House
from sqlalchemy import select

from newsletter.models import Fragment, Subscriber


def speak(house: House, subscriber: int, language: str) -> None:
    with house.runtime.session() as session:
        session.get_one(Subscriber, subscriber).language = language
        session.commit()


def texts(house: House) -> dict[str, str]:
    """Return the subject and the text of each email, by recipient."""
    found = {}
    for sent in house.transport.sent:
        mail = message_from_bytes(sent.content, policy=policy.default)
        body = mail.get_body(("plain",))
        assert body is not None
        found[sent.envelope.recipient] = f"{mail['Subject']}\n{body.get_content()}"
    return found


def test_an_issue_speaks_each_subscribers_language(either_house: House):
    house = either_house
    energy = house.topic("energy")
    names = {"en": "ann", "lt": "jonas", "de-AT": "dora", "xx": "other"}
    for language, name in names.items():
        speak(house, house.add_subscriber(energy, name=name), language)
    house.release("An energy cable")

    issue = house.send()

    said = texts(house)
    assert "March 10, 2026" in said["ann@example.org"]
    assert "2026 m. kovo 10 d." in said["jonas@example.org"]
    assert "kas savaitę" in said["jonas@example.org"]
    assert "10. März 2026" in said["dora@example.org"]
    assert "Abbestellen:" in said["dora@example.org"]
    assert "Unsubscribe:" in said["other@example.org"]
    assert all("An energy cable" in each for each in said.values())
    with house.runtime.reading() as session:
        made = select(Fragment.language).where(Fragment.issue_id == issue).distinct()
        assert set(session.scalars(made)) == {"en", "lt", "de"}


def test_a_language_nobody_reads_is_not_rendered(house: House):
    house.add_subscriber(house.topic("energy"))
    house.release("An energy cable")

    issue = house.send()

    with house.runtime.reading() as session:
        made = select(Fragment.language).where(Fragment.issue_id == issue).distinct()
        assert set(session.scalars(made)) == {"en"}
