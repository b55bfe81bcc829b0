"""Take out of a page what is no part of a text: menus, forms, buttons, hidden parts, share bars. Pure."""

from __future__ import annotations

import re

from newsletter.ingest.pages.tree import Element, remove, tag_of, text_of

_NEVER = frozenset({
    "script", "style", "noscript", "template", "iframe", "object", "embed", "applet", "svg", "canvas", "math",
    "video", "audio", "picture", "img", "source", "map", "area", "input", "select", "option", "textarea",
    "button", "datalist", "dialog", "menu", "link", "meta", "progress", "meter", "frame", "frameset",
})  # fmt: skip
_AROUND = frozenset({"nav", "footer", "aside"})
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
    "printfriendly", "readmore", "masthead", "sharedaddy", "jp-relatedposts", "widget", "prevnext",
})  # fmt: skip
_HIDDEN_WORDS = frozenset({
    "sr-only", "visually-hidden", "visuallyhidden", "screen-reader-text", "screen-reader", "screenreader",
    "element-invisible", "hidden", "hide", "noprint-hidden", "u-hidden", "is-hidden", "d-none",
})  # fmt: skip
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPLIT = re.compile(r"[^a-z0-9]+|(?<=[a-z])(?=\d)")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# A part of the page with a menu's class that has more prose than this is the page itself (a WordPress theme
# gives its body the class "has-sidebar").
_MOST_PROSE = 700


def remove_furniture(body: Element) -> None:
    """Take furniture out of the body of a page, in place."""
    for element in list(body.iter()):
        tag = tag_of(element)
        if not tag or element is body or element.getparent() is None:
            continue
        if tag in _NEVER or _is_hidden(element):
            remove(element)
        elif tag == "form":
            element.drop_tag()
        elif (tag in _AROUND or _role(element) or _named_so(element)) and not _is_text(element):
            remove(element)


def _role(element: Element) -> bool:
    return (element.get("role") or "").strip().lower() in _ROLES


def _is_hidden(element: Element) -> bool:
    if element.get("hidden") is not None or _HIDDEN_STYLE.search(element.get("style") or ""):
        return True
    return not _HIDDEN_WORDS.isdisjoint((element.get("class") or "").lower().split()) and not _is_text(
        element
    )


def _named_so(element: Element) -> bool:
    names = f"{element.get('class') or ''} {element.get('id') or ''}"
    if not names.strip() or len(names) > 1000:
        return False
    return any(not _WORDS.isdisjoint(_SPLIT.split(_CAMEL.sub("-", each).lower())) for each in names.split())


def _is_text(element: Element) -> bool:
    """Return whether an element has so much prose that its name must mean something else."""
    if tag_of(element) in {"html", "body", "main", "article"}:
        return True
    prose = 0
    for paragraph in element.iter("p"):
        text = text_of(paragraph)
        if len(text) >= 80:
            prose += len(text)
            if prose > _MOST_PROSE:
                return True
    return False
