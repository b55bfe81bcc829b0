"""Decoding bytes to text in any encoding, and refusing files that are not text."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.text.decode import (
    MAX_RELEASE_BYTES,
    decode,
    guess_utf16,
    patched_utf8,
    repair_mojibake,
)

TEXT = "Kęstutis said: “We’re ready – 東京で会う.”\nSecond line"
LATIN = "The café’s owner said “no” – and meant it: 50 € for a naïve guest.\n"


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_unicode_is_read_in_every_encoding(codec: str) -> None:
    assert decode(TEXT.encode(codec), "a.txt") == TEXT


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE])
def test_utf16_with_either_byte_order_mark_is_read(mark: bytes) -> None:
    codec = "utf-16-be" if mark == codecs.BOM_UTF16_BE else "utf-16-le"

    assert decode(mark + TEXT.encode(codec), "a.txt") == TEXT


def test_utf32_big_endian_with_a_mark_is_read() -> None:
    assert decode(codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"), "a.txt") == TEXT


def test_a_utf16_file_cut_in_the_middle_of_a_character_loses_only_that() -> None:
    assert decode(TEXT.encode("utf-16")[:-1], "a.txt") == TEXT[:-1]


def test_windows_1252_is_read_with_its_quotes_and_dashes() -> None:
    assert decode(LATIN.encode("cp1252"), "a.txt") == LATIN


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp1251", "Министр посетил мост через реку и поговорил с рабочими, которые его строят. " * 3),
        ("koi8-r", "Министр посетил мост через реку и поговорил с рабочими, которые его строят. " * 3),
        (
            "iso8859-2",
            "Minister otworzył most, który łączy dwa brzegi rzeki i nie jest jeszcze gotowy. Także źródło. "
            * 3,
        ),
        (
            "cp1250",
            "Minister otworzył most, który łączy dwa brzegi rzeki i nie jest jeszcze gotowy. Także źródło. "
            * 3,
        ),
        ("cp1257", "Ministras apžiūrėjo tiltą ir sakė, kad jis yra beveik baigtas, bet dar ne visai. " * 3),
        ("cp1254", "Bakan köprüyü ziyaret etti ve bu yıl içinde daha çok şey olacak dedi, için gibi. " * 3),
        ("shift_jis", "大臣は本日、新しい橋を視察し、工事の関係者と話をしました。完成は来年の春です。" * 3),
        ("euc_jp", "大臣は本日、新しい橋を視察し、工事の関係者と話をしました。完成は来年の春です。" * 3),
        ("gb18030", "部长今天视察了新的大桥，并和工人们进行了交谈。这是一个为人民的工程，在明年完成。" * 3),
        ("big5", "部長今天視察了新的大橋，並和工人們進行了交談。這是一個為人民的工程，在明年完成。" * 3),
        (
            "euc_kr",
            "장관은 오늘 새 다리를 시찰하고 노동자들과 이야기를 나누었다고 밝혔다. 공사는 내년에 끝난다." * 3,
        ),
        (
            "cp1253",
            "Ο υπουργός επισκέφθηκε τη νέα γέφυρα και μίλησε με τους εργαζόμενους που τη χτίζουν. " * 3,
        ),
    ],
)
def test_an_older_charset_is_detected_by_its_language(codec: str, text: str) -> None:
    assert decode(text.encode(codec), "a.txt") == text


def test_one_invalid_byte_does_not_garble_a_utf8_text() -> None:
    data = "Kęstutis Budrys – šiandien “čia”".encode() + b" it\x92s"

    assert decode(data, "a.txt") == "Kęstutis Budrys – šiandien “čia” it’s"


def test_utf8_cut_in_the_middle_of_a_character_stays_utf8() -> None:
    assert patched_utf8("Vilniuje šiandien žmonės ąčęėįš".encode()[:-1]) is not None


def test_text_that_was_decoded_wrongly_before_is_repaired() -> None:
    misread = "Kęstutis said “yes” – naïve".encode().decode("latin-1")

    assert repair_mojibake("Itâ€™s a cafÃ©") == "It’s a café"
    assert repair_mojibake(misread) == "Kęstutis said “yes” – naïve"


@pytest.mark.parametrize("text", ["Министр посетил мост.", "大臣は新しい橋を視察した。", "الوزير زار الجسر"])
def test_every_script_that_was_decoded_wrongly_is_repaired(text: str) -> None:
    assert repair_mojibake(text.encode().decode("latin-1")) == text


def test_prose_with_unusual_characters_is_not_repaired() -> None:
    assert repair_mojibake("Ã is a letter, Â too; ñandú, œuvre") == "Ã is a letter, Â too; ñandú, œuvre"


@pytest.mark.parametrize("ends", ["\r\n", "\r", "\n"])
def test_every_kind_of_line_end_becomes_a_newline(ends: str) -> None:
    assert decode(f"one{ends}two{ends}".encode(), "a.txt") == "one\ntwo\n"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b" \r\n\t ", "empty"),
        ("\ufeff \n".encode(), "blank"),
        ("\ufeff".encode("utf-16"), "blank"),
        (b"a" * (MAX_RELEASE_BYTES + 1), "larger than 2 MiB"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"PK\x03\x04 word/document.xml", "zipped"),
        (b"{\\rtf1 hello}", "RTF"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (bytes(range(256)) * 4, "not text"),
        (b"text with a \x00 in it and \x00 more", "not text"),
        (b"\x01\x02\x03\x04 odd", "not text"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8\x00\xd8", "not text"),
    ],
)
def test_a_file_that_is_not_text_is_refused_with_its_name_and_a_remedy(data: bytes, word: str) -> None:
    with pytest.raises(ReleaseUnreadable) as caught:
        decode(data, "some/file.txt")

    assert caught.value.name == "some/file.txt"
    assert word in caught.value.reason
    assert "save" in caught.value.reason


def test_a_file_of_exactly_the_greatest_size_is_read() -> None:
    assert len(decode(b"a" * MAX_RELEASE_BYTES, "a.txt")) == MAX_RELEASE_BYTES


def test_utf16_is_only_guessed_when_the_nuls_are_all_on_one_side() -> None:
    assert guess_utf16("plain".encode("utf-16-le")) == "utf-16-le"
    assert guess_utf16("plain".encode("utf-16-be")) == "utf-16-be"
    assert guess_utf16(b"\x00\x00ab\x00\x00cd") is None


@pytest.mark.parametrize(
    "text",
    [
        "大臣は本日、新しい橋を視察し、工事の関係者と話をしました。\n完成は来年の春です。\n",
        "Министр посетил мост и поговорил с рабочими, которые его строят.\nОн сказал, что доволен.",
    ],
)
def test_utf16_without_a_mark_is_guessed_in_other_scripts_too(text: str) -> None:
    assert decode(text.encode("utf-16-le"), "a.txt") == text
    assert decode(text.encode("utf-16-be"), "a.txt") == text


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes_are_text_or_refused(data: bytes) -> None:
    try:
        text = decode(data, "a.txt")
    except ReleaseUnreadable:
        return

    assert text.strip()
    assert "\r" not in text
    assert "\x00" not in text
    text.encode("utf-8")


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=200)
)
@settings(deadline=None)
def test_plain_utf8_comes_back_unchanged(text: str) -> None:
    if not text.strip("\ufeff \u00a0").strip() or text != repair_mojibake(text) or text.startswith("\ufeff"):
        return

    assert decode(text.encode(), "a.txt") == text
