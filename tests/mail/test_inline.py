from __future__ import annotations

from newsletter.mail.inline import inline_document, inline_fragment

PAGE = """<!DOCTYPE html><html lang="en"><head><style>
p { margin: 0; color: #111111; }
a:hover { color: red; }
@media (prefers-color-scheme: dark) { p { color: #ffffff !important; } }
</style></head><body><!--[if mso]><table><tr><td><![endif]--><p>x</p></body></html>"""


def test_rules_go_into_attributes_and_those_for_the_dark_stay_in_the_head() -> None:
    page = inline_document(PAGE)

    assert '<p style="margin:0;color:#111111">' in page
    assert "prefers-color-scheme: dark" in page
    assert "a:hover" in page
    assert "p { margin" not in page


def test_conditional_comments_for_outlook_stay() -> None:
    assert "<!--[if mso]><table><tr><td><![endif]-->" in inline_document(PAGE)


def test_a_piece_gets_its_styles_and_no_document_around_it() -> None:
    piece = inline_fragment('<p class="meta">x</p>\n', ".meta { color: #615C53 } h2 { margin: 0 }")

    assert piece.strip() == '<p class="meta" style="color:#615C53">x</p>'


def test_words_alone_are_left_as_they_are() -> None:
    assert inline_fragment("a &amp; b\n", "p { margin: 0 }") == "a &amp; b\n"
