"""Make a tree of a web page from its bytes, within limits. Pure.

Run it on pages from outside by `isolated_reader`, which bounds time and memory too.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from lxml import etree
from lxml import html as lxml_html

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.pages.charset import LARGEST_BYTES, decode_page
from newsletter.ingest.text.decode import repair_mojibake

# An element of lxml, which has no types of its own.
Element = Any

DEEPEST = 200
MOST_ELEMENTS = 60_000

# What XML does not have, and soft hyphens: they would break words that people search for.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xad\ufffe\uffff\ud800-\udfff]")
_HEAD = frozenset({"title", "meta", "link", "base", "script", "style", "noscript", "template"})
_XML_HEAD = re.compile(r"\s*<\?xml[^>]{0,200}>")


def parse_tree(data: bytes, content_type: str, name: str) -> Element:
    """Return the root of a page. `name` is for messages. Raises ReleaseUnreadable."""
    if len(data) > LARGEST_BYTES:
        raise ReleaseUnreadable(name, f"the page is larger than {LARGEST_BYTES // 1024 // 1024} MB")
    text = unicodedata.normalize("NFC", repair_mojibake(decode_page(data, content_type)))
    text = _CONTROLS.sub("", text)
    # `&shy;` is a soft hyphen too.
    text = text.replace("&shy;", "").replace("&#173;", "").replace("&#xAD;", "")
    text = _XML_HEAD.sub("", text, count=1)
    if not text.strip():
        raise ReleaseUnreadable(name, "the page is empty")
    parser = lxml_html.HTMLParser(remove_comments=True, remove_pis=True, no_network=True)
    try:
        root = lxml_html.document_fromstring(text, parser=parser)
    except (etree.LxmlError, ValueError) as fault:
        raise ReleaseUnreadable(name, "it is not a web page that can be read") from fault
    _check_shape(root, name)
    if root.find("body") is None:
        _add_body(root)
    return root


def text_of(element: Element) -> str:
    """Return the text of an element on one line."""
    return " ".join("".join(element.itertext()).split())


def tag_of(element: Element) -> str:
    """Return the name of an element, or "" for a comment or an instruction, which have no name."""
    return element.tag if isinstance(element.tag, str) else ""


def remove(element: Element) -> None:
    """Take an element out of its tree. The text behind it stays."""
    parent = element.getparent()
    if parent is not None:
        element.drop_tree()


def _add_body(root: Element) -> None:
    """Give a page its body. HTML need not name it, and the parser begins it only at some elements."""
    body = lxml_html.Element("body")
    head = root.find("head")
    rest = [each for each in root if tag_of(each) != "head"]
    within = list(head) if head is not None else []
    first = next((at for at, each in enumerate(within) if tag_of(each) not in _HEAD), len(within))
    for each in (*within[first:], *rest):
        body.append(each)
    root.append(body)


def _check_shape(root: Element, name: str) -> None:
    depth = count = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        count += event == "start"
        if depth > DEEPEST:
            raise ReleaseUnreadable(name, f"the page nests its elements more than {DEEPEST} deep")
        if count > MOST_ELEMENTS:
            raise ReleaseUnreadable(name, f"the page has more than {MOST_ELEMENTS:,} elements")
