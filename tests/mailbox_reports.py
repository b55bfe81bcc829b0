"""Reports about the deliveries of a test's installation, as they lie in a mailbox."""

from __future__ import annotations

from house import House

from newsletter.mail.verp import RETURN_KEY, delivery_token
from newsletter.models import Delivery, ReturnedMail, Subscriber

OTHERS = b"From: ann@example.net\r\nTo: owner@example.org\r\nSubject: lunch\r\n\r\nAt noon?\r\n"
OTHERS_REPORT = (
    b"From: MAILER-DAEMON@mx.example\r\nTo: owner@example.org\r\n"
    b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    b"Final-Recipient: rfc822; friend@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
)


def send_to(house: House, count: int) -> list[int]:
    """Send an issue to `count` subscribers; return the ids of the deliveries."""
    topic = house.topic("harbours")
    for number in range(count):
        house.add_subscriber(topic, name=f"p{number}")
    house.release("Harbours open")
    house.send()
    return [each.id for each in house.all(Delivery)]


def return_path_of(house: House, delivery_id: int) -> str:
    """Return the signed address that reports about a delivery come to."""
    token = delivery_token(str(delivery_id), house.runtime.tokens.derived_key(RETURN_KEY))
    return f"{token}@example.org"


def report_about(house: House, delivery_id: int, more: bytes = b"", status: str = "5.1.1") -> bytes:
    """Return a report that the address of a delivery does not exist."""
    people = {each.id: each.email for each in house.all(Subscriber)}
    (owner,) = [each.subscriber_id for each in house.all(Delivery) if each.id == delivery_id]
    lines = [
        "From: MAILER-DAEMON@mx.example",
        f"Delivered-To: {return_path_of(house, delivery_id)}",
        "Content-Type: multipart/report; boundary=b",
        "",
        "--b",
        "Content-Type: message/delivery-status",
        "",
        f"Final-Recipient: rfc822; {people[owner]}",
        "Action: failed",
        f"Status: {status}",
        "",
        "--b--",
        "",
    ]
    return "\r\n".join(lines).encode() + more


def outcomes(house: House) -> list[str]:
    """Return what followed from each recorded report, in their order."""
    return [each.outcome.value for each in house.all(ReturnedMail)]


def bounced(house: House) -> set[int]:
    """Return the deliveries that count as bounced."""
    return {each.id for each in house.all(Delivery) if each.bounced_at is not None}
