"""Parsing whole releases: each text in tests/data/press has its expected result beside it."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.press.parse import PressRelease, as_json, parse_press, summarise
from newsletter.ingest.text.decode import decode

ROOT = Path(__file__).parents[3]
CASES = sorted((ROOT / "tests" / "data" / "press").glob("*.json"))
SAMPLES = sorted((ROOT / "newsletter" / "demo" / "samples").glob("*.txt"))
TODAY = date(2026, 1, 15)


def read(path: Path, today: date = TODAY) -> PressRelease:
    return parse_press(decode(path.read_bytes(), path.name), path.name, today)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_release_is_parsed_as_the_file_beside_it_expects(case: Path) -> None:
    expected: dict[str, Any] = json.loads(case.read_text(encoding="utf-8"))
    today = date.fromisoformat(expected.get("today", TODAY.isoformat()))

    release = read(case.with_suffix(".txt"), today)

    assert release.title == expected["title"]
    assert release.publisher == expected["publisher"]
    assert (release.published and release.published.isoformat()) == expected["published"]
    assert release.language == expected["language"]
    assert release.body.startswith(expected["begins"])
    assert release.body.endswith(expected["ends"])
    assert len(release.paragraphs) == expected["paragraphs"], release.paragraphs
    assert [each for each in expected.get("has", []) if each not in release.body] == []
    assert [each for each in expected.get("has_not", []) if each in release.body] == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_of_the_demo_is_read_in_full(sample: Path) -> None:
    release = read(sample)

    assert len(release.title) > 10
    assert len(release.publisher) > 4
    assert release.published is not None
    assert release.published.year == 2025
    assert release.language in ("en", "lt", "ja")
    assert len(release.paragraphs) >= 6
    assert 40 < len(release.summary) <= 240


def test_few_releases_with_the_right_title_are_held() -> None:
    texts = [*(case.with_suffix(".txt") for case in CASES), *SAMPLES]
    held = [path.stem for path in texts if read(path).doubts]

    assert len(held) * 20 <= len(texts), held


def test_a_release_without_its_headline_is_held_more_often_than_not() -> None:
    held, read_titles = 0, 0
    for case in CASES:
        expected = json.loads(case.read_text(encoding="utf-8"))
        text = decode(case.with_suffix(".txt").read_bytes(), case.name)
        lines = [line for line in text.split("\n") if line.strip() != expected["title"]]
        with suppress(ReleaseUnreadable):
            release = parse_press("\n".join(lines), case.name, TODAY)
            if release.title != expected["title"]:
                read_titles += 1
                held += "title" in release.doubts

    assert held * 10 >= read_titles * 7


def test_the_first_sentence_speaks_for_a_lost_headline_and_is_doubtful() -> None:
    lead, last = "Le port a rouvert son quai du nord.", "Les travaux sur les deux rives ont duré un an."
    text = f"Dépêche\n\n©Service du port / Ida Brème\n\n{lead}\n\n{last}\n"

    release = parse_press(text, "a.txt", TODAY)

    assert release.title == "Le port a rouvert son quai du nord"
    assert release.doubts == ("title",)
    assert release.paragraphs == (lead, last)


def test_a_last_short_paragraph_is_text() -> None:
    release = parse_press(
        "Port opens a quay\n\nThe port opened a quay on Monday, its owner said.\n\nThank you all", "a.txt"
    )

    assert release.paragraphs[-1] == "Thank you all"


def test_subheads_and_quotations_are_told_from_prose() -> None:
    text = (
        "Port opens a quay for the winter\n\nThe port opened a quay on Monday, its owner said.\n\n"
        "Ships from April\n\nThe first ship comes in April, "
        "and it will bring timber.\n\n> We sail at noon, the captain said to us all.\n"
    )

    release = parse_press(text, "a.txt", TODAY)

    assert release.paragraphs[1] == "Ships from April"
    assert release.markup.subheads == {1}
    assert release.markup.quotes == {3}


def test_there_are_twelve_samples_in_three_languages() -> None:
    languages = [read(sample).language for sample in SAMPLES]

    assert sorted(languages) == ["en"] * 10 + ["ja", "lt"]


@pytest.mark.parametrize(
    "text", ["", "\n\n", "|\n|\n", "NEWSLETTER\n|\n", "Only a title", "Menu\nHome\nNews\n", "23 May 2025\n"]
)
def test_a_text_without_title_or_body_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(ReleaseUnreadable) as caught:
        parse_press(text, "a.txt")

    assert caught.value.name == "a.txt"
    assert "try again" in caught.value.reason


def test_a_text_of_too_many_lines_is_refused() -> None:
    with pytest.raises(ReleaseUnreadable, match="50,000 lines"):
        parse_press("a line\n" * 50_001, "a.txt")


ADVISORY = """Harbour commissioner speaks about the ferry fares

Port of Brinehaven
5 May 2026

WHO:
Commissioner Ada Finch
Captain Jon Holm

WHERE:
Harbour hall, Quay 4

###

Contact: press@brinehaven.example
"""


def test_a_text_without_a_sentence_is_kept_line_by_line_and_held_for_a_person() -> None:
    release = parse_press(ADVISORY, "advisory.txt")

    assert release.title == "Harbour commissioner speaks about the ferry fares"
    assert release.paragraphs[-5:] == (
        "WHO:", "Commissioner Ada Finch", "Captain Jon Holm", "WHERE:", "Harbour hall, Quay 4",
    )  # fmt: skip
    assert release.doubts == ("title",)


def test_json_has_the_same_keys_for_every_release_and_an_error_only_on_failure() -> None:
    release = read(SAMPLES[0])
    good = as_json("a.txt", release)
    bad = as_json("b.txt", ReleaseUnreadable("b.txt", "the file is empty"))

    assert list(good) == ["file", "title", "publisher", "published", "language", "body"]
    assert list(bad) == [*good, "error"]
    assert good["published"] == "2025-11-18"
    assert good["body"] == "\n\n".join(release.paragraphs)
    assert bad["published"] is None
    assert bad["error"] == "the file is empty"
    json.dumps([good, bad])


def test_a_summary_ends_after_a_sentence_or_a_word() -> None:
    assert summarise(("Short text.",)) == "Short text."
    first = "This sentence is rather long, but not as long as the limit allows it to be, so it stays."
    assert summarise((first + " " + "word " * 60,)) == first
    cut = summarise(("word " * 100,))
    assert len(cut) <= 240
    assert cut.endswith("word…")
    assert len(summarise(("字" * 500,))) <= 240


def test_line_ends_and_blank_lines_do_not_matter() -> None:
    text = (ROOT / "tests" / "data" / "press" / "bullets.txt").read_text(encoding="utf-8")
    plain = parse_press(text, "a.txt", TODAY)

    assert parse_press(text.replace("\n", "\r\n"), "a.txt", TODAY) == plain
    assert parse_press("\n\n" + text + "\n\n", "a.txt", TODAY) == plain


LINES = st.one_of(
    st.text(max_size=120),
    st.sampled_from(
        [
            "|",
            "NEWSLETTER",
            "| Join the Dispatch.example mailing list |",
            "###",
            "Share on Facebook",
            "Home > News",
            "Ministry of Roads",
            "23 October 2025",
            "Updated 2025-10-23",
            "FOR IMMEDIATE RELEASE",
            "Contact:",
            "- item",
            "LUND, Oct. 23 (ORN) -- The bridge over the Elve was opened on Thursday.",
            "Photo: A bridge",
            "(END)",
            "The bridge over the Elve was opened on Thursday, two years after the flood.",
            "New bridge opens in Lund",
            "Tel. +999 555 0100",
            "Related articles",
            "Source: Xinmin",
            "By Ann Lee",
            "© 2025 Roads",
            "Date: 2025-10-23",
            "<p>",
            "&nbsp;",
            "[a](b)",
            "**",
            "\u200b",
            "© ",
            "1. one",
            "Title: A title",
            "About Roads",
        ]
    ),
)


@given(st.lists(LINES, max_size=25).map("\n".join))
@settings(deadline=None, max_examples=200)
def test_any_text_is_a_release_or_refused(text: str) -> None:
    try:
        release = parse_press(text, "a.txt", TODAY)
    except ReleaseUnreadable:
        return

    assert release.title.strip()
    assert "\n" not in release.title
    assert release.paragraphs
    assert all(paragraph.strip() for paragraph in release.paragraphs)
    assert len(release.summary) <= 240
    json.dumps(as_json("a.txt", release)).encode()
    shown = {line for paragraph in release.paragraphs for line in paragraph.split("\n")}
    assert not shown & {
        "|",
        "NEWSLETTER",
        "Share on Facebook",
        "Home > News",
        "Join the Dispatch.example mailing list",
    }


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        " ",
        "| ",
        "|a",
        "<",
        "<p ",
        "<script",
        "<!--",
        "&",
        "[",
        "**a",
        "1",
        "23 October 2025 ",
        "- ",
        "? ",
        "a@",
        "東京。",
        "__a",
        "© ",
        "#",
        "\u200dx",
        "Word word word ",
        "(",
        "+1 ",
        "a > ",
        "a, ",
    ],
)
def test_one_endless_line_takes_no_longer_than_its_length(piece: str) -> None:
    """Twice the length may take a little more than twice the work. A quadratic rule would take four times."""

    def work(length: int) -> float:
        text = (piece * length)[:length]
        started = time.process_time()
        with suppress(ReleaseUnreadable):
            parse_press(f"A title of some words\n{text}", "a.txt", TODAY)
        return time.process_time() - started

    small, large = work(50_000), work(400_000)

    assert large < 0.5 or large < small * 24
