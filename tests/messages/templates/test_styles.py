"""The check of style sheets. Attacks are in newsletters/templates/test_check.py."""

from __future__ import annotations

import pytest

from newsletter.messages.templates.styles import check_declarations, check_styles, in_effect

GOOD = """
/* a comment; with: { braces } */
body, .page { margin: 0; padding: 0; background: #FBFAF7; }
h1 { font: 16px/1.55 -apple-system, "Segoe UI", Arial, sans-serif; letter-spacing: -0.01em }
td.x > a:hover { color: #abc !important; border: 1px solid #E3DFD6; width: 100%; max-width: 600px }
"""
MEDIA = (
    "@media (max-width: 480px) {\n  .a { padding: 8px 0 !important; }\n}\n@media print { b { margin: 0 } }\n"
)


def test_usual_styles_are_good():
    assert check_styles(GOOD, with_media=False) == []
    assert check_styles(MEDIA + GOOD, with_media=True) == []
    assert check_declarations("color:#123456; font-size: 14px") == []


@pytest.mark.parametrize(
    ("css", "line"),
    [
        ("a { color: red }", 1),
        ("\n\na {\n  margin: 0;\n  position: fixed;\n}", 5),
        ("a { margin: -1px }", 1),
        ("a { font-size: 9px }", 1),
        ("a { font-size: 50% }", 1),
        ("a { font: 0/0 a }", 1),
        ("a { font: bold serif }", 1),
        ("a { line-height: 0 }", 1),
        ("a { letter-spacing: -1em }", 1),
        ("a { width: 1% }", 1),
        ("a { width: 0 }", 1),
        ("a { background: red url }", 1),
        ("a { color: #ffffff00 }", 1),
        ("a { color }", 1),
        ("a { color: }", 1),
        ("\na { color: #123456 } }", 2),
        ("\na { color: #123456", 2),
        ("a { font-family: 'x;y' }", 1),
        ("/* no end \na { color: #123456 }", 1),
        ("@media print { a { margin: 0 } }", 1),
        ("\n@charset 'x';", 2),
        ("a { --x: 1 }", 1),
    ],
)
def test_other_styles_are_refused_with_their_line(css: str, line: int):
    assert [each.line for each in check_styles(css, with_media=False)][:1] == [line]


def test_rules_of_a_condition_come_into_effect():
    page = "<style>@media (prefers-color-scheme: dark) { a { margin: 0 } } b { margin: 1px }</style>" + MEDIA

    dark = in_effect(page, "dark")

    assert "prefers-color-scheme" not in dark
    assert "a { margin: 0 }" in dark
    assert "max-width: 480px" in dark
