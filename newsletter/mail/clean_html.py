"""Clean HTML from outside by an allow-list: text, headings, lists, tables, quotations and links stay. Pure.

Scripts, styles, forms, pictures, frames and every attribute that is not listed are removed. Links lead to
http, https or mailto addresses only, and relative ones are made absolute.
"""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import nh3

TAGS = frozenset({
    "a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "dd", "del", "dl", "dt", "em",
    "h2", "h3", "h4", "h5", "h6", "hr", "i", "ins", "li", "ol", "p", "pre", "q", "s", "small", "strong",
    "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
})  # fmt: skip
# These are removed with their content. Other tags that are not allowed only lose the tag.
WITH_CONTENT = frozenset({
    "audio", "button", "canvas", "form", "head", "math", "nav", "noscript", "script", "select", "style",
    "svg", "template", "textarea", "title", "video",
})  # fmt: skip
ATTRIBUTES = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start"},
}
LINK_SCHEMES = frozenset({"http", "https", "mailto"})
# More HTML than any release has. Callers check it, and tell a person about what they leave out.
LONGEST_HTML = 1_000_000

# nh3 needs 15 s for 1 MB of single ampersands, and far less if they are written as &amp;.
_LONE_AMPERSAND = re.compile(r"&(?![#a-zA-Z])")
# A parser takes everything after an open <iframe> for its content, so the tags are removed first.
_FRAME = re.compile(r"</?iframe\b[^<>]*>?", re.IGNORECASE)
_TOP_HEADING = re.compile(r"<(/?)h1(?=[\s>/])", re.IGNORECASE)
_EMPTY = re.compile(r"<(p|h[2-6]|li|ul|ol|blockquote|strong|em|b|i)>(?:\s|&nbsp;|\u00a0|<br>)*</\1>")


def clean_html(html: str, base: str) -> str:
    """Return HTML that is safe to show on our pages; `base` is the URL that relative links start from.

    The result may be longer than `html`: the parser opens tags again that were closed in a wrong order.
    """
    html = _LONE_AMPERSAND.sub("&amp;", html.replace("\0", ""))
    made = nh3.clean(
        _TOP_HEADING.sub(r"<\1h2", _FRAME.sub("", html)),
        tags=set(TAGS),
        clean_content_tags=set(WITH_CONTENT),
        attributes=ATTRIBUTES,
        url_schemes=set(LINK_SCHEMES),
        url_relative=lambda url: absolute(url, base),
        link_rel="noopener noreferrer",
    )
    return _EMPTY.sub("", made).strip()


def absolute(url: str, base: str) -> str | None:
    """Return `url` made absolute, or None if it then leads to neither http nor https."""
    try:
        made = urljoin(base, url.strip())
        parts = urlsplit(made)
    except ValueError:
        return None
    return made if parts.scheme in {"http", "https"} and parts.netloc else None
