"""Tests of telling pages from other documents, and of their charsets."""

from __future__ import annotations

import pytest

from newsletter.ingest.pages.charset import decode_page, is_page

WORDS = "Größe für Straßen"


@pytest.mark.parametrize(
    "start",
    [
        b"<!DOCTYPE html><p>x",
        b"\n<html lang=en>",
        b"<!-- saved --><html>",
        b"\xef\xbb\xbf<!doctype html>",
        b'<?xml version="1.0"?><!DOCTYPE html>',
        "\ufeff<html>".encode("utf-16-le"),
    ],
)
def test_a_page_is_known_by_its_beginning(start: bytes):
    assert is_page(start)


@pytest.mark.parametrize("start", [b"", b"The quay opens", b"<rss><channel>", b"<htmlish>", b"%PDF-1.7"])
def test_other_documents_are_no_pages(start: bytes):
    assert not is_page(start)


def test_the_byte_order_mark_counts_before_all_else():
    data = f"\ufeff<meta charset=koi8-r>{WORDS}".encode("utf-16-le")

    assert decode_page(data, "text/html; charset=koi8-r").endswith(WORDS)


def test_valid_utf_8_is_utf_8_whatever_the_page_says():
    assert decode_page(f"<meta charset=iso-8859-1>{WORDS}".encode(), "text/html; charset=latin1").endswith(
        WORDS
    )


def test_the_header_counts_before_the_meta_element():
    data = f'<meta http-equiv=Content-Type content="text/html; charset=utf-16">{WORDS}'.encode("cp1252")

    assert decode_page(data, "text/html; charset=ISO-8859-1").endswith(WORDS)


@pytest.mark.parametrize(
    ("name", "codec", "text"),
    [
        ("iso-8859-1", "cp1252", "“Größe” — 5 €"),
        ("Shift_JIS", "cp932", "①新しい港が開く"),
        ("gb2312", "gb18030", "新港口開放"),
        ("windows-1256", "cp1256", "افتتاح الميناء"),
        ("EUC-KR", "cp949", "새 항구가 열리다"),
    ],
)
def test_the_meta_element_names_the_charset_as_browsers_read_it(name: str, codec: str, text: str):
    data = f'<html><meta charset="{name}">{text}'.encode(codec)

    assert decode_page(data).endswith(text)


def test_an_unknown_charset_and_a_cut_character_still_give_a_text():
    data = "<meta charset=x-none>The quay opens für".encode()

    assert "The quay opens" in decode_page(data[:-2])
