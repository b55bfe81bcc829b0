"""Cutting a message into parts: what belongs to the returned message, encodings, and the limits."""

from __future__ import annotations

import pytest

from newsletter.bounces.read.parts import DEEPEST, MOST_PARTS, cut, without_tags

REPORT = b"""\
Content-Type: multipart/report; boundary="b"

This stands before the parts.

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

SGVsbG8=

--b
Content-Type: message/rfc822

Subject: Harbour news

Text.

--b--
behind
"""


def test_the_returned_message_is_a_part_of_its_own():
    parts = cut(REPORT)

    assert [(part.kind, part.original) for part in parts] == [
        ("multipart/report", False),
        ("text/x-preamble", False),
        ("text/plain", False),
        ("message/rfc822", False),
        ("text/plain", True),
    ]
    assert parts[2].text == "Hello"
    assert parts[4].header["subject"] == ["Harbour news"]


def test_a_missing_boundary_is_guessed():
    parts = cut(REPORT.replace(b'; boundary="b"', b""))

    assert "Hello" in [part.text for part in parts]


def test_a_message_without_its_end_is_read_to_where_it_is_cut_off():
    parts = cut(REPORT[: REPORT.index(b"Text.")])

    assert parts[-1].header["subject"] == ["Harbour news"]


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("iso-8859-1", b"gr\xfc\xdfe", "grüße"),
        ("koi8-r", "ящик".encode("koi8-r"), "ящик"),
        ("gb2312", "邮件".encode("gb18030"), "邮件"),
        ("iso-2022-jp", "宛先".encode("iso2022_jp"), "宛先"),
        ("no-such-charset", "grüße".encode(), "grüße"),
        ("punycode", b"gr\xfc\xdfe", "grüße"),
    ],
)
def test_text_is_decoded_by_its_charset_or_by_a_guess(charset, body, text):
    raw = b"Content-Type: text/plain; charset=" + charset.encode() + b"\n\n" + body

    assert cut(raw)[0].text == text


def test_tags_go_and_addresses_in_angle_brackets_stay():
    text = without_tags(
        "<style>p {}</style><p>to <b>Ada</b> &lt;a@b.example&gt;</p><!-- x --><ada@harbour.example>"
    )

    assert " ".join(text.split()) == "to Ada <a@b.example> <ada@harbour.example>"


def test_parts_and_depth_have_limits():
    many = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 1000
    deep = b"Content-Type: message/rfc822\n\n" * 1000

    assert len(cut(many)) == MOST_PARTS
    assert len(cut(deep)) == DEEPEST + 1
