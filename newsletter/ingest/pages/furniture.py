"""Take out of a page what is no part of a text: menus, forms, buttons, hidden parts, share bars. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

from newsletter.ingest.pages.tree import Element, remove, tag_of, text_of

_NEVER = frozenset({
    "script", "style", "noscript", "template", "iframe", "object", "embed", "applet", "svg", "canvas", "math",
    "video", "audio", "picture", "img", "source", "map", "area", "input", "select", "option", "textarea",
    "button", "datalist", "figcaption", "dialog", "menu", "link", "meta", "progress", "meter", "frame",
    "frameset",
})  # fmt: skip
_AROUND = frozenset({"nav", "footer", "aside"})
_WHOLE = frozenset({"html", "body", "main", "article"})
_ROLES = frozenset({
    "navigation", "banner", "contentinfo", "complementary", "search", "menu", "menubar", "toolbar", "dialog",
    "alertdialog", "alert", "tooltip", "tablist", "img", "button",
})  # fmt: skip
# Words of a class or an id. Each is a whole word: "sharebar" is not "share", but "post-share" is.
_WORDS = frozenset({
    "share", "sharing", "sharebar", "sharethis", "addthis", "addtoany", "social", "socials", "breadcrumb",
    "breadcrumbs", "cookie", "cookies", "consent", "gdpr", "newsletter", "subscribe", "subscription",
    "signup",
    "sidebar", "related", "recommended", "recommendations", "comments", "comment", "disqus", "pagination",
    "pager", "menu", "navbar", "navigation", "nav", "toolbar", "tags", "taglist", "skip", "skiplink",
    "footer",
    "advertisement", "advert", "ads", "promo", "popup", "modal", "offcanvas", "feedback", "rating", "print",
    "printfriendly", "readmore", "flyout", "masthead", "sharedaddy", "jp-relatedposts", "widget", "prevnext",
})  # fmt: skip
# Words of what lies over a page or beside a picture. Such a part is never the text, even with much prose.
_ALWAYS = frozenset({
    "modal", "popup", "offcanvas", "tooltip", "cookie", "cookies", "consent", "gdpr", "onetrust",
    "overlay", "caption", "copyright", "credit", "credits", "figcaption", "imagecaption",
    "bildnachweis", "accessibility",
})  # fmt: skip
# A page that shows little but such a notice has no text.
_NOTICES = frozenset({"cookie", "cookies", "consent", "gdpr", "onetrust"})
_HIDDEN_WORDS = frozenset({
    "sr-only", "visually-hidden", "visuallyhidden", "screen-reader-text", "screen-reader", "screenreader",
    "element-invisible", "hidden", "hide", "noprint-hidden", "u-hidden", "is-hidden", "d-none",
})  # fmt: skip
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPLIT = re.compile(r"[^a-z0-9]+|(?<=[a-z])(?=\d)")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# A paragraph of at least this many characters is prose.
_LONG = 80
# A part with a menu's class that has more prose than this is the page itself. Some themes give the whole page
# the class "has-sidebar".
_MOST_PROSE = 700
# A part with this much of the prose holds the text, whatever its name says. A script may have to show it.
_WHOLE_SHARE = 0.7
# At most this many elements are looked into, because each look walks through a part of the page.
_MOST_LOOKS = 200


def remove_furniture(body: Element) -> None:
    """Take furniture out of the body of a page, in place."""
    most = _WHOLE_SHARE * _prose_of(body)
    looks = 0
    for element in list(body.iter()):
        tag = tag_of(element)
        if not tag or element is body or element.getparent() is None:
            continue
        if tag == "form":
            element.drop_tag()
        elif tag in _NEVER:
            remove(element)
        elif _is_hidden(element) or _is_beside(element) or _is_menu(element):
            looks += 1
            is_notice = not most or looks > _MOST_LOOKS or has_word(element, _NOTICES)
            if is_notice or _prose_of(element) < most:
                remove(element)


def _is_beside(element: Element) -> bool:
    """Return whether an element lies over the page, belongs to a picture, or is a teaser."""
    if tag_of(element) == "article" and next(element.iterancestors("article"), None) is not None:
        return not _has_prose(element)
    return tag_of(element) not in _WHOLE and has_word(element, _ALWAYS)


def _is_menu(element: Element) -> bool:
    is_named = tag_of(element) in _AROUND or _role(element) or has_word(element, _WORDS)
    return is_named and tag_of(element) not in _WHOLE and not _has_prose(element)


def _role(element: Element) -> bool:
    return (element.get("role") or "").strip().lower() in _ROLES


def _is_hidden(element: Element) -> bool:
    if element.get("hidden") is not None or _HIDDEN_STYLE.search(element.get("style") or ""):
        return True
    names = (element.get("class") or "").lower().split()
    return not _HIDDEN_WORDS.isdisjoint(names) and tag_of(element) not in _WHOLE and not _has_prose(element)


def has_word(element: Element, words: Collection[str]) -> bool:
    """Return whether the class or the id of an element has one of these words."""
    names = f"{element.get('class') or ''} {element.get('id') or ''}"
    if not names.strip() or len(names) > 1000:
        return False
    return any(
        word in words for each in names.split() for word in _SPLIT.split(_CAMEL.sub("-", each).lower())
    )


def _prose_of(element: Element) -> int:
    """Return how many characters the long paragraphs of an element have."""
    sizes = (len(text_of(each)) for each in element.iter("p"))
    return sum(size for size in sizes if size >= _LONG)


def _has_prose(element: Element) -> bool:
    """Return whether an element has so much prose that its name must mean something else."""
    prose = 0
    for paragraph in element.iter("p"):
        text = text_of(paragraph)
        if len(text) >= _LONG:
            prose += len(text)
            if prose > _MOST_PROSE:
                return True
    return False
