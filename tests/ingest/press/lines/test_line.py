"""Classify one line: its date, label, name and form."""

from __future__ import annotations

import pytest

from newsletter.ingest.press.clean import RawLine
from newsletter.ingest.press.lines.furniture import Kind
from newsletter.ingest.press.lines.labels import BARE, PUBLISHED, UPDATED
from newsletter.ingest.press.lines.line import NAME, classify


@pytest.mark.parametrize(
    ("text", "rank"),
    [
        ("Updated 2025-10-23", UPDATED),
        ("Last updated: 23 Oct. 2025 17:09", UPDATED),
        ("23.10.2025 14:07", BARE),
        ("Published: 23 October 2025", PUBLISHED),
        ("Thursday, October 23, 2025, 6:45 pm ET", BARE),
        ("paskelbta 2025-10-23", PUBLISHED),
        ("发布时间：2025年10月23日", PUBLISHED),
        ("2025年10月23日（木）", BARE),
        ("السبت 18 يناير 2025", BARE),
        ("입력 2016-11-18 18:12 수정 2016-11-19 05:28", PUBLISHED),
        ("Perşembe, 23 Ekim 2025", BARE),
    ],
)
def test_a_line_with_only_a_date_has_a_rank(text: str, rank: int) -> None:
    line = classify(RawLine(text))

    assert line.alone
    assert line.dates
    assert line.rank == rank


@pytest.mark.parametrize(
    "text", ["What changes on 1 January 2026", "Ministry of Roads, 1 May 2025", "Meeting on 2025-10-23 ends"]
)
def test_a_line_with_more_text_is_no_date_line(text: str) -> None:
    assert not classify(RawLine(text)).alone


@pytest.mark.parametrize(
    ("text", "label", "value"),
    [
        ("Source: Xinmin", "publisher", "Xinmin"),
        ("会社名：北浜フェリー", "publisher", "北浜フェリー"),
        ("Published", "date", ""),
        ("By", "author", ""),
        ("The source of the river was found", "", ""),
    ],
)
def test_a_label_is_told_from_its_value(text: str, label: str, value: str) -> None:
    line = classify(RawLine(text))

    assert (line.label, line.value) == (label, value)


def test_a_date_line_with_buttons_beside_it_is_only_a_date() -> None:
    assert classify(RawLine("12.11.2021 red Artikel: Download PDF Drucken Teilen Feedback")).alone


def test_a_headline_of_any_length_has_no_end_of_a_sentence() -> None:
    headline = classify(
        RawLine("Harbour office and ferry lines sign a paper on the renewal of " + "all quays, " * 30)
    )
    prose = classify(RawLine("The harbour office said so. The ferry lines agreed " + "and agreed " * 30))

    assert headline.open
    assert not prose.open


def test_furniture_has_no_name_score_and_no_dateline() -> None:
    line = classify(RawLine("Skip to main content"))

    assert (line.kind, line.score, line.dateline) == (Kind.FURNITURE, -9, None)
    assert classify(RawLine("Ministry of Roads")).score >= NAME


def test_a_line_that_begins_with_a_date_is_no_list_item() -> None:
    assert not classify(RawLine("4. 10. 2013 / Ada Finch")).bullet
    assert classify(RawLine("4. The pier is renewed")).bullet


def test_the_state_of_a_german_police_report_is_its_date() -> None:
    assert classify(RawLine("Stand: 21.12.2024, 12:00 Uhr")).rank == PUBLISHED


@pytest.mark.parametrize(
    "text",
    [
        "Pressemitteilung vom 19.05.2031",
        "Press release no. 12 of 19 May 2031",
        "Communiqué de presse, 19 mai 2031",
    ],
)
def test_a_kind_of_release_with_a_date_tells_the_day_of_publication(text: str) -> None:
    line = classify(RawLine(text))

    assert line.alone
    assert line.rank == PUBLISHED
