"""The colours of a newsletter are readable: each pair is measured, in light and in dark mode."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from newsletter.mail.palette import (
    LEAST_CONTRAST,
    USUAL,
    Palette,
    contrast,
    contrast_faults,
    mix,
    palette_of,
    parse_colour,
)

SITE_CSS = Path(__file__).parents[2] / "newsletter" / "static" / "css" / "site.css"


# Known values of the formula in WCAG 2.2.
@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#777777", "#ffffff", 4.48),
        ("#0000ff", "#ffffff", 8.59),
        ("#ff0000", "#ff0000", 1),
    ],
)
def test_contrast_is_that_of_wcag(one, other, ratio):
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.01)


def test_the_usual_colours_are_readable_and_those_of_the_style_sheet():
    sheet = SITE_CSS.read_text("utf-8").lower()

    assert contrast_faults(USUAL) == {}
    assert palette_of({}) == USUAL
    assert re.findall(r"--accent: (#\w+);", sheet) == [USUAL.accent, USUAL.dark_accent]
    assert re.findall(r"--on-accent: (#\w+);", sheet) == [USUAL.on_accent, USUAL.on_dark_accent]


@pytest.mark.parametrize("accent", ["#1b5e8c", "#0b6e4f", "#000000", "#5a189a", "#7a1010"])
def test_colours_that_are_not_chosen_are_readable_beside_the_accent(accent):
    assert contrast_faults(palette_of({"accent": accent})) == {}


def test_each_pair_that_is_hard_to_read_is_named_with_its_contrast():
    palette = Palette("#ffdd00", "#ffffff", "#333333", "#000000")

    faults = contrast_faults(palette)

    needed = "At least 4.5:1 is needed, so that everybody can read it."
    assert faults == {
        "accent": f"#ffdd00 on the page in light mode (#fbfaf7) has a contrast of 1.2:1. {needed}",
        "on_accent": f"#ffffff on the accent colour (#ffdd00) has a contrast of 1.3:1. {needed}",
        "dark_accent": f"#333333 on the page in dark mode (#1e1c1a) has a contrast of 1.3:1. {needed}",
        "on_dark_accent": "#000000 on the accent colour in dark mode (#333333) has a contrast of 1.6:1. "
        + needed,
    }


def test_a_contrast_just_below_the_limit_is_not_shown_as_the_limit():
    palette = Palette("#747474", "#ffffff")

    assert 4.45 < contrast(palette.accent, "#fbfaf7") < LEAST_CONTRAST
    assert "4.4:1" in contrast_faults(palette)["accent"]


@pytest.mark.parametrize("text", ["#8C2F1B", " #8c2f1b "])
def test_a_colour_is_read_in_any_case(text):
    assert parse_colour(text) == "#8c2f1b"


@pytest.mark.parametrize(
    "text", ["", "red", "#fff", "8c2f1b", "#8c2f1b;}", "#8c2f1b\n}body{", "#gggggg", "rgb(1,2,3)", "#８c2f1b"]
)
def test_anything_else_is_no_colour(text):
    with pytest.raises(ValueError, match="is not a colour such as #8c2f1b"):
        parse_colour(text)


def test_colours_are_mixed_by_share():
    assert mix("#ffffff", "#000000", 0.5) == "#808080"
    assert mix("#123456", "#ffffff", 1) == "#123456"
