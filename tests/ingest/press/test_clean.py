"""Clean the lines of a press release."""

from __future__ import annotations

import pytest

from newsletter.ingest.press.clean import RawLine, clean, strip_bars


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("a&nbsp;&amp;&nbsp;b", "a & b"),
        ("&amp;quot;x&amp;quot;", '"x"'),
        ("ca\u200bf\u00ade\ufeff", "cafe"),
        ("a\u00a0b\u3000c\td", "a b c d"),
        ("<p>one <b>two</b></p>", "one two"),
        ("[text](https://x.example/a)", "text"),
        ("**bold** word", "bold word"),
        ("## Heading", "Heading"),
        ("| cell |", "cell"),
        ("2 < 3 > 1", "2 < 3 > 1"),
        ("<script>var a = 1</script>after", "after"),
        ("“kept” – ‘quotes’", "“kept” – ‘quotes’"),
        ("می‌شود", "می‌شود"),
        ("bell\x07", "bell"),
        ("half \ud800 pair", "half ? pair"),
    ],
)
def test_a_line_is_cleaned(raw: str, cleaned: str) -> None:
    assert [line.text for line in clean(raw).lines] == [cleaned]


def test_a_line_of_bars_counts_as_a_blank_line() -> None:
    lines = clean("one\n|\n| |\n|---|:--:|\ntwo").lines

    assert lines == [RawLine("one", True, 0), RawLine("two", True, 0)]
    assert strip_bars("| a | | b |") == "a | b"


def test_every_kind_of_line_separator_ends_a_line() -> None:
    assert [line.text for line in clean("a\r\nb\rc\u2028d\x0be").lines] == ["a", "b", "c", "d", "e"]


def test_addresses_with_names_of_entities_are_unchanged() -> None:
    address = (
        "https://agency.example/plan?id=7&region=north&section=2&currency=EUR&timestamp=1&lt=5&notify=yes"
    )

    (line,) = clean(f"The&nbsp;plan is at {address} today.").lines

    assert line.text == f"The plan is at {address} today."


@pytest.mark.parametrize(
    ("raw", "mark", "text"),
    [
        ("## Timetable", "##", "Timetable"),
        ("# Timetable", "#", "Timetable"),
        ("# #SailHome begins today", "#", "#SailHome begins today"),
        ("<h3>Timetable</h3>", "##", "Timetable"),
        ("> We sail at noon.", ">", "We sail at noon."),
        ("<blockquote>We sail at noon.</blockquote>", ">", "We sail at noon."),
        ("<ul><li>one</li></ul>", "", "- one"),
        ("<tr><td>Monday</td><td>08:00</td></tr>", "", "Monday | 08:00"),
    ],
)
def test_headings_quotations_items_and_cells_are_told_from_prose(raw: str, mark: str, text: str) -> None:
    (line,) = clean(raw).lines

    assert (line.mark, line.text) == (mark, text)


def test_links_are_kept_beside_the_text() -> None:
    text = 'See <a class="x" href="https://port.example/a?b=1&amp;c=2">the plan</a> and [a map](https://port.example/map).'

    cleaned = clean(text)

    assert cleaned.lines[0].text == "See the plan and a map."
    assert cleaned.links == {
        "the plan": "https://port.example/a?b=1&c=2",
        "a map": "https://port.example/map",
    }


def test_a_wide_gap_behind_a_japanese_label_stands_for_a_colon() -> None:
    (label, greeting) = clean("      会 社 名    株式会社北浜フェリー\n  各     位").lines

    assert label.text == "会社名：株式会社北浜フェリー"
    assert greeting.text == "各位"


def test_more_lines_than_asked_for_are_told() -> None:
    assert clean("a\nb\nc", 2).more
    assert not clean("a\nb", 2).more


def test_the_characters_of_icon_fonts_are_no_text():
    lines = clean("\ue80b\n\uf0b7 Lamps\nShare \uf09a").lines

    assert [line.text for line in lines] == ["• Lamps", "Share"]


def test_wide_gaps_in_a_long_line_are_lost_line_breaks():
    long = "The port opens two gates" + " " * 30 + "Ships " * 80 + "come" + " " * 9 + "The end"

    assert [line.text for line in clean(long).lines] == [
        "The port opens two gates",
        "Ships " * 80 + "come",
        "The end",
    ]
    assert len(clean("Year      Ships\n2030      1,200").lines) == 2
