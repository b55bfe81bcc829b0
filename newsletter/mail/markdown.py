"""Render Markdown (CommonMark) that a person wrote to safe HTML and to plain text. Pure.

HTML in the source is shown as text, and images become links. Two libraries look at the HTML: markdown-it-py
writes only its own tags, and nh3 removes what is not in the list of tags here. So a fault of one is not
enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from newsletter.errors import InputError
from newsletter.mail.plaintext import WIDTH, wrap
from newsletter.mail.transfer_encoding import clean

# How many lists and quotes may stand inside each other.
DEEPEST = 8
# markdown-it-py leaves out blocks that are nested deeper. A list takes two of these levels. So the first list
# or quote that is too deep is still read, and the text is refused.
MOST_NESTING = 2 * DEEPEST + 4
# Each paragraph, heading and item gets a style of its own in an email.
MOST_BLOCKS = 200
# The first heading of a text becomes this level, because pages and emails have headings of their own.
FIRST_LEVEL = 3
NARROWEST = 20

_TAGS = frozenset(
    (
        "a",
        "blockquote",
        "br",
        "code",
        "em",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "strong",
        "ul",
    )
)
_SCHEMES = {"http", "https", "mailto"}
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes={"a": {"href", "title"}, "ol": {"start"}},
    url_schemes=_SCHEMES,
    url_relative="deny",
    link_rel=None,
)


class Rich(NamedTuple):
    """A text as HTML without styles, and as plain text of at most `WIDTH` columns where words allow it."""

    html: str
    text: str


def render_markdown(source: str, *, most_bytes: int) -> Rich:
    """Return the text in both forms. Raises InputError if it is too long or nested too deep."""
    source = clean(source)
    size = len(source.encode())
    if size > most_bytes:
        raise InputError(f"This text has {size:,} bytes. At most {most_bytes:,} are possible.")
    parser = _parser()
    tokens = parser.parse(source)
    refuse_deep(tokens)
    if sum(each.nesting == 1 and not each.hidden for each in tokens) > MOST_BLOCKS:
        raise InputError(f"This text has more than {MOST_BLOCKS} paragraphs, headings and list items.")
    _shift_headings(tokens)
    html = _CLEANER.clean(parser.renderer.render(tokens, parser.options, {})).strip()
    return Rich(html, "\n".join(_lines(SyntaxTreeNode(tokens), WIDTH)))


def refuse_deep(tokens: Sequence[Token]) -> None:
    """Raise InputError if lists and quotes are nested too deep, because the parser leaves out their text."""
    depth = 0
    for each in tokens:
        if each.type.startswith(("bullet_list_", "ordered_list_", "blockquote_")):
            depth += each.nesting
        if depth > DEEPEST:
            raise InputError(f"Lists and quotes are nested more than {DEEPEST} levels deep.")


def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "maxNesting": MOST_NESTING}).disable(
        ["image", "html_block"]
    )


def _shift_headings(tokens: Sequence[Token]) -> None:
    """Number the levels from FIRST_LEVEL, and keep their order."""
    used = sorted({each.tag for each in tokens if each.type == "heading_open"})
    levels = {tag: f"h{min(6, FIRST_LEVEL + at)}" for at, tag in enumerate(used)}
    for each in tokens:
        if each.type in {"heading_open", "heading_close"}:
            each.tag = levels[each.tag]


def _lines(node: SyntaxTreeNode, width: int) -> list[str]:
    """Return a block as lines of plain text. Lists get marks, quotes a > before each line."""
    width = max(width, NARROWEST)
    if node.type == "inline":
        return wrap("".join(_inline(each) for each in node.children), width).split("\n")
    if node.type == "hr":
        return ["-" * 3]
    if node.type in {"code_block", "fence"}:
        return [f"    {line}" for line in node.content.rstrip("\n").split("\n")]
    if node.type == "blockquote":
        return [f"> {line}".rstrip() for line in _blocks(node.children, width - 2)]
    if node.type in {"bullet_list", "ordered_list"}:
        return _list_lines(node, width)
    return _blocks(node.children, width)


def _blocks(nodes: Sequence[SyntaxTreeNode], width: int) -> list[str]:
    """Return blocks with an empty line between two; none in a tight list item."""
    lines: list[str] = []
    for node in nodes:
        tight = node.type in {"bullet_list", "ordered_list"} and bool(lines) and _is_tight(nodes[0])
        if lines and not tight:
            lines.append("")
        lines += _lines(node, width)
    return lines


def _is_tight(node: SyntaxTreeNode) -> bool:
    return node.type == "paragraph" and node.hidden


def _list_lines(node: SyntaxTreeNode, width: int) -> list[str]:
    lines: list[str] = []
    number = int(node.attrs.get("start", 1))
    for at, item in enumerate(node.children):
        mark = f"  {number + at}. " if node.type == "ordered_list" else "  - "
        first, *others = _blocks(item.children, width - len(mark)) or [""]
        if lines and not all(_is_tight(each) for each in item.children if each.type == "paragraph"):
            lines.append("")
        lines.append(f"{mark}{first}".rstrip())
        lines += [f"{' ' * len(mark)}{each}".rstrip() for each in others]
    return lines


def _inline(node: SyntaxTreeNode) -> str:
    """Return inline content as text. A link is followed by its address."""
    if node.type in {"text", "code_inline"}:
        return node.content
    if node.type == "softbreak":
        return " "
    if node.type == "hardbreak":
        return "\n"
    words = "".join(_inline(each) for each in node.children)
    if node.type != "link":
        return words
    address = str(node.attrs.get("href", ""))
    shown = address.removeprefix("mailto:")
    # The HTML has no link for another address, such as one that is relative to a page.
    is_kept = address.lower().startswith(tuple(f"{scheme}:" for scheme in _SCHEMES))
    return f"{words} <{shown}>" if is_kept and words not in {address, shown} else words
