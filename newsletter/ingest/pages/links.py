"""Find the releases that a page lists: the links of its main list, and nothing else. Pure.

The rules, which docs/sources.md explains to editors:

1. Menus, footers, forms and hidden parts are taken out, as in a release's own page.
2. A link counts if it leads to another page of the same site that is neither a file nor the list itself.
   Links with the same address are one. Its title is that of the heading, else the longest text.
3. Around each link, the entry is the largest part of the page without a link to another page that counts.
4. Entries of one form are a list: the same elements around them, and addresses of the same shape.
5. The list with the most points is taken. Entries with a date, a heading, a long title and a telling address
   have more points. Entries of other lists join it if their addresses have the same shape.
6. If most entries of the list have a date, those without one are left out.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from urllib.parse import urlsplit

from lxml import etree

from newsletter.errors import FeedUnreadable, InputError, ReleaseUnreadable
from newsletter.ingest.feeds.feed import Feed, Item
from newsletter.ingest.html.to_text import one_line
from newsletter.ingest.pages.dates import declared_date
from newsletter.ingest.pages.declared import base_of, read_declared
from newsletter.ingest.pages.furniture import remove_furniture
from newsletter.ingest.pages.link_rules import PAGE, check_rules, fits, to_xpath
from newsletter.ingest.pages.tree import Element, parse_tree, tag_of, text_of
from newsletter.ingest.press.dates.find import find_dates
from newsletter.mail.clean_html import absolute

MOST_LINKS = 200

_FILES = re.compile(
    r"\.(?:pdf|docx?|xlsx?|pptx?|odt|zip|gz|jpe?g|png|gif|svg|webp|mp[34]|wav|mov|avi|ics|vcf|xml|rss|json|csv)\Z",
    re.IGNORECASE,
)
_OTHER_RELS = frozenset(
    {"next", "prev", "tag", "author", "category", "search", "help", "license", "nofollow"}
)
# Links that name no release, such as "Read more" below it.
_MORE_WORDS = (
    r"(?:read|learn|see|find out|view|show|load|continue) (?:more|all|on|the full|full|article|story).{0,20}",
    r"more|details|here|next|previous|older|newer|back",
    r"weiter(?:lesen)?|mehr.{0,12}|zur(?:ück)?",
    r"suite|lire la suite|en savoir plus|leer m[áa]s|ver m[áa]s",
    r"подробнее|続きを読む|詳細.{0,4}|もっと見る|次へ|前へ",
    r"المزيد|اقرأ المزيد|التالي|السابق|skaityti.{0,10}|[›»>→‹«<←]+",
)
_MORE = re.compile("|".join(_MORE_WORDS), re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]")
# A word of Japanese or Chinese has one or two characters.
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LONG_TITLE = 25
_SHORT = 12
_DATE_IN_PATH = re.compile(r"/(?:19|20)\d\d/(?:\d{1,2}|[a-z]{3})(?:/|-)|(?:19|20)\d{2}-?\d{2}-?\d{2}")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# Entries with fewer points than this are no releases, however many there are.
_LEAST_POINTS = 2.0


@dataclass
class Link:
    """One address on the page, with what stands around it."""

    url: str
    anchors: list[Element] = field(default_factory=list)
    entry: Element = None
    title: str = ""
    day: date | None = None
    form: str = ""
    shape: str = ""
    points: float = 0.0


def read_list(data: bytes, content_type: str, url: str, selector: str = "", pattern: str = "") -> Feed:
    """Return the releases that a page lists, without their texts, in the order of the page.

    `selector` is a CSS selector of links, or of what holds them. `pattern` is a URL with `*` for any
    characters. With one of them, every link that fits is a release. Raises FeedUnreadable, and InputError for
    an invalid rule.
    """
    check_rules(selector, pattern)
    try:
        root = parse_tree(data, content_type, url)
    except ReleaseUnreadable as fault:
        raise FeedUnreadable(f"{fault.reason[0].upper()}{fault.reason[1:]}.") from fault
    body = root.find("body")
    if body is None:
        raise FeedUnreadable("It is a page without content.")
    base = base_of(root, url)
    declared = read_declared(root, base)
    scope = _selected(body, selector) if selector else None
    if scope is None:
        remove_furniture(body)
    links = _links(body, base, url, scope)
    if pattern:
        links = [each for each in links if fits(pattern, each.url) or fits(pattern, urlsplit(each.url).path)]
    _describe(links, body)
    chosen = links if selector or pattern else choose_links(links)
    site = next(iter((*declared.publishers, *declared.sites)), "")
    title = next(iter(declared.titles), "") or site
    items = tuple(_item(each) for each in chosen[:MOST_LINKS])
    return Feed(one_line(title)[:300], url, PAGE, items)


def choose_links(links: Sequence[Link]) -> list[Link]:
    """Return the links of the main list and of those that join it, in their order."""
    forms: dict[tuple[str, str], list[Link]] = defaultdict(list)
    for each in links:
        each.points = _points(each)
        forms[each.form, each.shape].append(each)
    lists = [found for found in forms.values() if _mean(found) >= _LEAST_POINTS]
    if not lists:
        return []
    main = max(lists, key=lambda found: (sum(each.points for each in found), -links.index(found[0])))
    dated = sum(each.day is not None for each in main) * 2 > len(main)
    shape = Counter(each.shape for each in main).most_common(1)[0][0]
    form = main[0].form

    def joins(each: Link) -> bool:
        is_like = each.shape == shape or each.form == form
        return is_like and each.points >= _LEAST_POINTS and (not dated or each.day is not None)

    return [each for each in links if joins(each)]


def _links(body: Element, base: str, url: str, scope: Collection[Element] | None) -> list[Link]:
    """Return the links that count, each address once."""
    found: dict[str, Link] = {}
    here = urlsplit(url)
    for anchor in body.iter("a"):
        place = absolute(anchor.get("href") or "", base) if (anchor.get("href") or "").strip() else None
        if place is None or not _counts(place, here.hostname or "", here.path):
            continue
        if not _OTHER_RELS.isdisjoint((anchor.get("rel") or "").lower().split()):
            continue
        if scope is not None and not any(each in scope for each in (anchor, *anchor.iterancestors())):
            continue
        place = place.partition("#")[0]
        link = found.setdefault(place, Link(place))
        link.anchors.append(anchor)
    return list(found.values())


def _counts(place: str, host: str, path: str) -> bool:
    parts = urlsplit(place)
    theirs, mine = (parts.hostname or "").removeprefix("www."), host.removeprefix("www.")
    if theirs != mine and not theirs.endswith(f".{mine}") and not mine.endswith(f".{theirs}"):
        return False
    if not parts.path.strip("/") and not parts.query:
        return False
    # The list itself: its other pages, and its filters by year or topic.
    is_list = parts.path.rstrip("/") == path.rstrip("/") and not re.search(
        r"\bid=|\bp=\d|article", parts.query
    )
    return not is_list and not _FILES.search(parts.path) and len(place) <= 2_000


def _describe(links: Sequence[Link], body: Element) -> None:
    """Find entry, title, day, form and shape of each link."""
    # A short text is that of a topic, which stands in an entry beside the release.
    owner = {anchor: each for each in links if _longest_text(each) >= _SHORT for anchor in each.anchors}
    # How many different links stand below each element.
    below: dict[Element, set[str]] = defaultdict(set)
    for anchor, link in owner.items():
        for element in (anchor, *anchor.iterancestors()):
            if len(below[element]) < 2:
                below[element].add(link.url)
            if element is body:
                break
    for each in links:
        each.entry = _entry(each.anchors[0], below, body)
        each.title = _title(each)
        each.day = _day(each.entry)
        each.form = _form(each.entry)
        each.shape = _shape(each.url)


def _longest_text(link: Link) -> int:
    texts = [text_of(anchor) for anchor in link.anchors]
    return max(len(text) + len(_WIDE.findall(text)) for text in texts)


def _entry(anchor: Element, below: dict[Element, set[str]], body: Element) -> Element:
    entry = anchor
    for element in anchor.iterancestors():
        if element is body or len(below[element]) > 1:
            break
        entry = element
    return entry


def _title(link: Link) -> str:
    inside = [text_of(each) for anchor in link.anchors for each in anchor.iter(*_HEADINGS)]
    around = [
        text_of(anchor)
        for anchor in link.anchors
        if any(tag_of(each) in _HEADINGS for each in anchor.iterancestors())
    ]
    plain = sorted((text_of(anchor) for anchor in link.anchors), key=len, reverse=True)
    named = [anchor.get("title") or anchor.get("aria-label") or "" for anchor in link.anchors]
    beside = [text_of(each) for each in link.entry.iter(*_HEADINGS)]
    for title in (*inside, *around, *plain, *beside, *named):
        if title and not _MORE.fullmatch(title.strip(" .…:")) and len(_LETTERS.findall(title)) >= 4:
            return one_line(_without_date(title))[:500]
    return ""


def _without_date(title: str) -> str:
    """Return a title without a date at its beginning or end."""
    dates = [each for each in find_dates(title) if each.year]
    for each in dates:
        rest = (
            title[: each.start]
            if each.end >= len(title) - 2
            else title[each.end :]
            if each.start <= 1
            else ""
        )
        rest = rest.strip(" -–—|:·,.()[]\t")
        if len(_LETTERS.findall(rest)) >= 4:
            return rest
    return title


def _day(entry: Element) -> date | None:
    if tag_of(entry) == "dd" and (term := entry.getprevious()) is not None and tag_of(term) == "dt":
        return _day_in(term) or _day_in(entry)
    return _day_in(entry)


def _day_in(entry: Element) -> date | None:
    for each in entry.iter("time"):
        found = declared_date([each.get("datetime") or "", text_of(each)])
        if found is not None:
            return found.day
    text = text_of(entry)
    for found_date in (*find_dates(text[:240]), *find_dates(text[-120:])):
        if found_date.year and (day := found_date.on(None)):
            return day
    return None


def _form(entry: Element) -> str:
    """Return the elements around an entry, from the outside to it."""
    tags = [tag_of(entry), *(tag_of(each) for each in entry.iterancestors())]
    return "/".join(reversed(tags))


def _shape(url: str) -> str:
    """Return the address with its numbers and its last part left out."""
    parts = urlsplit(url)
    *folders, _last = parts.path.strip("/").split("/") or [""]
    shape = [re.sub(r"\d+", "0", each) for each in folders]
    names = ",".join(sorted(re.sub(r"=.*", "", each) for each in parts.query.split("&") if each))
    return "/".join((parts.hostname or "", *shape, "*")) + (f"?{names}" if names else "")


def _points(link: Link) -> float:
    title = link.title
    length = len(title) + len(_WIDE.findall(title))
    if length < _SHORT:
        return 0.0
    in_heading = any(
        tag_of(each) in _HEADINGS
        for anchor in link.anchors
        for each in (*anchor.iter(), *anchor.iterancestors())
    )
    path = urlsplit(link.url).path
    slug = path.rstrip("/").rpartition("/")[2]
    telling = bool(_DATE_IN_PATH.search(path)) or slug.count("-") >= 3 or bool(re.search(r"\d{3,}", slug))
    return (
        2.0 * (link.day is not None) + 1.5 * (length >= _LONG_TITLE) + 0.5 * in_heading + 0.5 * telling
        + 0.5 * (tag_of(link.entry) in {"li", "tr", "article"})
    )  # fmt: skip


def _mean(links: Iterable[Link]) -> float:
    points = [each.points for each in links]
    return sum(points) / len(points)


def _item(link: Link) -> Item:
    return Item(
        guid="", url=link.url, title=link.title, publisher="", published=link.day, published_at=None,
        language="und", body_html="", paragraphs=(),
    )  # fmt: skip


def _selected(body: Element, selector: str) -> set[Element]:
    try:
        return set(etree.XPath(to_xpath(selector))(body))
    except etree.XPathError as fault:
        raise InputError(f"The CSS selector cannot be used: {fault}"[:300]) from fault
