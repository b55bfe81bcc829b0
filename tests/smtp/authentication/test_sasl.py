"""What is sent to sign in, byte for byte as the RFCs show it."""

from __future__ import annotations

import base64

from newsletter.smtp.authentication import sasl


def test_plain_is_the_example_of_rfc_4616():
    assert base64.b64decode(sasl.plain("tim", "tanstaaftanstaaf")) == b"\0tim\0tanstaaftanstaaf"


def test_oauthbearer_is_the_example_of_rfc_7628():
    expected = (
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRj"
        "Mk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )

    answer = sasl.oauthbearer(
        "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", "server.example.com", 143
    )

    assert answer.decode() == expected


def test_a_user_name_cannot_end_its_field():
    assert b"n,a=a=2Cb=3Dc," in base64.b64decode(sasl.oauthbearer("a,b=c", "t", "h", 1))


def test_xoauth2_has_the_form_that_google_documents():
    answer = base64.b64decode(sasl.xoauth2("ann@example.org", "ya29.t"))

    assert answer == b"user=ann@example.org\x01auth=Bearer ya29.t\x01\x01"
