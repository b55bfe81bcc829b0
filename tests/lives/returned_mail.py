"""Write reports of failures, and complaints, as a server would."""

from __future__ import annotations

# What a report says about an email, as its status and the server's words.
_FAILURES = {"hard": ("5.1.1", "user unknown"), "soft": ("4.2.2", "mailbox full")}
# Kinds of genuine reports. A forged one is written as one of these, with a value that we did not sign.
KINDS = ("hard", "soft", "complaint")


def write_report(kind: str, token: str, address: str, number: int) -> bytes:
    """Return the bytes of a report about the email with this signed token; `number` makes them unique."""
    if kind == "complaint":
        machine, said = "message/feedback-report", ["Feedback-Type: abuse", "User-Agent: Example/1"]
    else:
        status, words = _FAILURES[kind]
        machine = "message/delivery-status"
        said = [
            f"Final-Recipient: rfc822; {address}",
            "Action: failed",
            f"Status: {status}",
            f"Diagnostic-Code: smtp; 550 {status} {words}",
        ]
    lines = [
        "From: MAILER-DAEMON@mx.example",
        f"Subject: report {number}",
        "Content-Type: multipart/report; boundary=b",
        "",
        "--b",
        f"Content-Type: {machine}",
        "",
        *said,
        "",
        "--b",
        "Content-Type: text/rfc822-headers",
        "",
        f"Message-ID: <{token}.1@example.org>",
        "--b--",
        "",
    ]
    return "\r\n".join(lines).encode()
