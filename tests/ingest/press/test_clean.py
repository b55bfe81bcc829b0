"""Clean the lines of a press release."""

from __future__ import annotations

import pytest

from newsletter.ingest.press.clean import Line, clean_lines, strip_bars


@pytest.mark.parametrize(
    ("raw", "clean"),
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
def test_a_line_is_cleaned(raw: str, clean: str) -> None:
    assert [line.text for line in clean_lines(raw)] == [clean]


def test_a_line_of_bars_counts_as_a_blank_line() -> None:
    assert clean_lines("one\n|\n| |\n|---|:--:|\ntwo") == [Line("one", True, 0), Line("two", True, 0)]
    assert strip_bars("| a | | b |") == "a | b"


def test_every_kind_of_line_separator_ends_a_line() -> None:
    assert [line.text for line in clean_lines("a\r\nb\rc\u2028d\x0be")] == ["a", "b", "c", "d", "e"]
