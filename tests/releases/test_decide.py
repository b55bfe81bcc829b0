"""The topics that a release matches, and when two files are the same release."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.releases.decide import (
    Candidate,
    PlainText,
    Wait,
    content_hash,
    published_moment,
    to_html,
    wait_for,
)

PORT = Candidate("Port opens a quay", "Port of Halmstrand", "Ships take electricity from the shore.")


def test_white_space_and_case_do_not_change_the_content_hash():
    assert content_hash("A  Title", "Port", "Body\n\ntext") == content_hash("a title", "port ", "body text")
    assert content_hash("A title", "Port", "Body") != content_hash("A title", "Port", "Other body")


def test_a_date_is_noon_and_no_date_is_now():
    now = datetime(2026, 3, 10, 9, tzinfo=UTC)

    assert published_moment(date(2026, 3, 1), now) == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert published_moment(None, now) == now


def test_lists_and_lines_become_html():
    assert to_html(["First.", "- one\n- two", "Line\nand line"]) == (
        "<p>First.</p>\n<ul><li>one</li><li>two</li></ul>\n<p>Line<br>and line</p>"
    )


@given(st.lists(st.text(max_size=200), max_size=5))
def test_no_text_becomes_markup(paragraphs: list[str]):
    allowed = {"<p>", "</p>", "<ul>", "</ul>", "<li>", "</li>", "<br>"}
    html = to_html(paragraphs)
    for tag in allowed:
        html = html.replace(tag, "")

    assert "<" not in html


@pytest.mark.parametrize(
    ("paragraphs", "markup", "made"),
    [
        (
            ["Timetable", "It opens."],
            PlainText(subheads=frozenset({0})),
            "<h3>Timetable</h3>\n<p>It opens.</p>",
        ),
        (["- one\n- two"], PlainText(), "<ul><li>one</li><li>two</li></ul>"),
        (["1. one\n2. two"], PlainText(), "<ol><li>one</li><li>two</li></ol>"),
        (["1. one"], PlainText(), "<p>1. one</p>"),
        (
            ["Day | Hour\nMonday | 8"],
            PlainText(),
            "<table><tbody><tr><td>Day</td><td>Hour</td></tr><tr><td>Monday</td><td>8</td></tr></tbody></table>",
        ),
        (["“We sail.”"], PlainText(quotes=frozenset({0})), "<blockquote><p>“We sail.”</p></blockquote>"),
        (
            ["See https://port.example/a?b=1&region=2."],
            PlainText(),
            (
                '<p>See <a href="https://port.example/a?b=1&amp;region=2" rel="noopener noreferrer">'
                "https://port.example/a?b=1&amp;region=2</a>.</p>"
            ),
        ),
        (
            ["See the plan."],
            PlainText(links=(("the plan", 'https://port.example/"x'),)),
            '<p>See <a href="https://port.example/&quot;x" rel="noopener noreferrer">the plan</a>.</p>',
        ),
        (["See the plan."], PlainText(links=(("the plan", "javascript:alert(1)"),)), "<p>See the plan.</p>"),
    ],
)
def test_the_structure_of_a_text_becomes_html(paragraphs: list[str], markup: PlainText, made: str) -> None:
    assert to_html(paragraphs, markup) == made


@pytest.mark.parametrize(
    ("days", "wait"),
    [(None, Wait()), (1, Wait()), (2, Wait((), date(2026, 3, 7))), (61, Wait(("published",)))],
)
def test_a_date_decides_how_long_a_release_waits(days: int | None, wait: Wait) -> None:
    today = date(2026, 3, 5)
    published = None if days is None else today + timedelta(days=days)

    assert wait_for((), published, today) == wait
