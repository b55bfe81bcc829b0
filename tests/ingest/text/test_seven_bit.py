"""Charsets that look like ASCII: ISO-2022, HZ and UTF-7."""

from __future__ import annotations

import pytest

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.text.decode import decode
from newsletter.ingest.text.seven_bit import CharsetUnknown, decode_seven_bit

JAPANESE = "第3号灯台を点灯\n\n2026年3月5日\n\n南浜港湾株式会社は本日、灯台を点灯した。\n"
KOREAN = "항구에 새 등대가 켜졌다\n\n남항공사는 오늘 등대를 켰다고 밝혔다.\n"
CHINESE = "港口的新灯塔今天点亮\n\n南港公司今天点亮了新的灯塔。\n"
FRENCH = "La région étend le réseau de bus à l'été\n\nLa région a décidé aujourd'hui d'étendre le réseau.\n"


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("iso2022_jp", JAPANESE),
        ("iso2022_jp_1", JAPANESE),
        ("iso2022_jp_2", JAPANESE),
        ("iso2022_jp_3", JAPANESE),
        ("iso2022_jp_2004", JAPANESE),
        ("iso2022_jp_ext", JAPANESE),
        ("iso2022_kr", KOREAN),
        ("hz", CHINESE),
        ("utf-7", FRENCH),
        ("utf-7", JAPANESE),
        ("utf-7", KOREAN),
    ],
)
def test_text_in_a_seven_bit_charset_is_decoded(codec: str, text: str) -> None:
    assert decode(text.encode(codec), "a.txt") == text


@pytest.mark.parametrize(
    "text",
    [
        "Call +4930-12345678- or +49 30 1234567 for the C++11-standard of 1+1+1.",
        "The route is ~{15} minutes long, they say.",
        "A plain text with no charset marks at all.",
        "Key: +AbCdEf0123456789+AbCdEf+xyz",
    ],
)
def test_plain_ascii_is_left_alone(text: str) -> None:
    assert decode_seven_bit(text.encode()) is None
    assert decode(text.encode(), "a.txt") == text


def test_iso_2022_cn_is_refused_with_its_name_and_a_remedy() -> None:
    data = b"\x1b$)A\x0e8[?Z\x0f\n\nA text of some words.\n"

    with pytest.raises(CharsetUnknown):
        decode_seven_bit(data)
    with pytest.raises(ReleaseUnreadable, match=r"ISO-2022-CN.*UTF-8"):
        decode(data, "a.txt")


@pytest.mark.parametrize("codec", ["utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"])
def test_wide_encodings_need_no_byte_order_mark(codec: str) -> None:
    assert decode(FRENCH.encode(codec), "a.txt") == FRENCH
