"""Tests of taking menus, forms and hidden parts out of a page."""

from __future__ import annotations

import pytest

from newsletter.ingest.pages.furniture import remove_furniture
from newsletter.ingest.pages.tree import parse_tree, text_of

PROSE = "<p>" + "The harbour has opened its new quay, and all ferries use it from April on. " * 12 + "</p>"


def left(html: str) -> str:
    body = parse_tree(f"<html><body>{html}<p>The quay opens.</p></body></html>".encode(), "", "x").find(
        "body"
    )
    remove_furniture(body)
    return text_of(body)


@pytest.mark.parametrize(
    "html",
    [
        "<nav>Home News</nav>",
        "<footer>Imprint</footer>",
        "<aside>More</aside>",
        "<script>x()</script><style>p{}</style><noscript>Turn it on</noscript>",
        "<button>Share</button><select><option>de</select><textarea>x</textarea>",
        "<div class='post-share'>Share</div>",
        "<div id=relatedNews>More</div>",
        "<ul class='site breadcrumbs'><li>Home</ul>",
        "<div hidden>Secret</div><span style='display: none'>Secret</span>",
        "<span class='visually-hidden'>Skip</span>",
        "<div role=navigation>Home</div>",
        "<iframe src=x>y</iframe><svg><text>Logo</text></svg>",
    ],
)
def test_what_is_no_text_is_taken_out(html: str):
    assert left(html) == "The quay opens."


def test_a_form_around_the_whole_page_leaves_the_page():
    assert left("<form>Read this <input name=x></form>") == "Read this The quay opens."


def test_a_part_with_much_prose_is_the_text_whatever_its_class():
    assert "all ferries" in left(f"<div class='has-sidebar menu'>{PROSE}</div>")


def test_a_word_inside_another_word_names_nothing():
    assert left("<div class='shareholders'>For shareholders</div>").startswith("For shareholders")


def test_what_lies_over_the_page_is_taken_out_however_much_prose_it_has():
    assert left(f"<div class='cookie-overlay'>{PROSE}</div>") == "The quay opens."


def test_a_teaser_inside_an_article_is_taken_out():
    assert left("<article>Text <article>Another story</article></article>").startswith("Text The quay")


@pytest.mark.parametrize(
    "wrapper",
    ["<div class='offcanvas-wrapper'>", "<div class='background-overlay'>", "<div style='display:none'>"],
)
def test_a_part_with_nearly_all_prose_of_the_page_is_its_text(wrapper: str):
    assert "all ferries" in left(f"{wrapper}{PROSE}</div>")
