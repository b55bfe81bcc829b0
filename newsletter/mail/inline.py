"""Inline CSS into style attributes, because mail programs ignore most other CSS. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import css_inline

# Rules that are inlined leave the style element. Media queries (dark, narrow) and :hover stay in it.
_DOCUMENTS = css_inline.CSSInliner(
    keep_style_tags=True,
    remove_inlined_selectors=True,
    minify_css=True,
    load_remote_stylesheets=False,
)
_FRAGMENTS = css_inline.CSSInliner(minify_css=True, load_remote_stylesheets=False)
_PIECE = re.compile(r"<x-piece>(.*?)</x-piece>", re.DOTALL)


def inline_document(html: str) -> str:
    """Return a whole HTML document with the rules of its style elements in style attributes."""
    return _DOCUMENTS.inline(html)


def inline_fragment(html: str, css: str) -> str:
    """Return a piece of a document's body with the rules of `css` in its style attributes.

    A piece must not start with rows or cells of a table: the HTML parser drops them.
    """
    return _FRAGMENTS.inline_fragment(html, css) if "<" in html else html


def inline_fragments(pieces: Mapping[str, str], css: str) -> dict[str, str]:
    """Return pieces as `inline_fragment` does, and read the style sheet once.

    No piece leaves an element open.
    """
    marked = {name: html for name, html in pieces.items() if "<" in html}
    joined = "".join([f"<x-piece>{html}</x-piece>" for html in marked.values()])
    inlined = _PIECE.findall(_FRAGMENTS.inline_fragment(joined, css)) if joined else []
    return dict(pieces) | dict(zip(marked, inlined, strict=True))
