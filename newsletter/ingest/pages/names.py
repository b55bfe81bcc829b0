"""Decide the title and the publisher of a release from what its page declares and shows. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from urllib.parse import urlsplit

from newsletter.ingest.pages.declared import Declared
from newsletter.ingest.pages.furniture import remove_furniture
from newsletter.ingest.pages.tree import Element, tag_of, text_of
from newsletter.ingest.press.dates.find import find_dates
from newsletter.ingest.press.lines.furniture import kind_of
from newsletter.ingest.press.lines.labels import INNER_PUBLISHER, SPLIT, beside_dates, read_label
from newsletter.ingest.press.lines.line import NAME
from newsletter.ingest.press.lines.organisations import is_wire, organisation_score
from newsletter.ingest.press.lines.shape import size
from newsletter.ingest.press.publisher import Evidence, from_copyright
from newsletter.ingest.press.title import split_site

_SITE_MARK = re.compile(r"\s+[|–—·•:»›«‹-]\s+|\s*[|»｜]\s*")
_PARTED = re.compile(r"[:：.!?…|–—-] ")
_WORD = re.compile(r"\w+")
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|[\w-]+(?:\.[\w-]+)*\.[a-z]{2,6}", re.IGNORECASE)
_NO_NAME = re.compile(
    r"(?:home|accueil|startseite|inicio|hjem|©.*|news|press|admin|editor|webmaster|untitled|none|website|author|staff|redaktion)\Z",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_LOGO = re.compile(
    r"\b(?:logo|startseite|homepage|home|zur|to|the|link|back|go|start)\b(?: page| of| der| von)?:?",
    re.IGNORECASE,
)
_SECTIONS = frozenset({"kind of release", "menu"})  # "News" is no title
_LONGEST_NAME = 120
_MOST_WORDS = 8
_LONG = 25
_MOST_HEADINGS = 2_000


def choose_title(root: Element, declared: Declared) -> str:
    """Return the heading that the page also declares as its title,
    else the declared title without the site."""
    pieces = [
        piece for title in declared.titles for piece in (title, *_SITE_MARK.split(title)) if piece.strip()
    ]
    found = islice(root.iter("h1", "h2", "h3", "h4"), _MOST_HEADINGS)
    headings = [(tag_of(each), _heading(each)) for each in found]
    sites = {_even(site) for site in (*declared.sites, *declared.publishers)}
    usual = [
        (tag, text)
        for tag, text in headings
        if text and _even(text) not in sites and len(text) <= 400 and kind_of(text)[0] not in _SECTIONS
    ]
    longest = max(
        (len(_even(piece)) for title in declared.titles for piece in _SITE_MARK.split(title)), default=0
    )
    for wanted in ("h1", "h2", "h3", "h4"):
        for tag, text in usual:
            # "News" is a part of many declared titles, and a heading of many pages.
            is_long = wanted == "h1" or len(_even(text)) * 2 >= longest
            if tag == wanted and is_long and _is_one_of(text, pieces, exact=wanted != "h1"):
                return _without_kind(_unglued(text, pieces), sites)
    single = [text for tag, text in usual if tag == "h1"]
    if declared.titles:
        return _without_kind(_without_site(declared.titles, single, sites), sites)
    return _without_kind(single[0], sites) if single else ""


def dated_pieces(titles: Iterable[str]) -> list[str]:
    """Return the pieces of the declared titles that are only a date: "The quay opens | 2.11.2031 | Port"."""
    pieces = (piece for title in titles for piece in _SITE_MARK.split(title))
    return [each for each in pieces if (dates := find_dates(each)) and not beside_dates(each, dates)]


def _without_kind(title: str, sites: set[str]) -> str:
    """Return a title without "[News]" before it and without the site behind it."""
    parts = _SITE_MARK.split(title)
    known = len(parts) > 1 and _even(parts[-1]) in sites
    return split_site(title.removesuffix(parts[-1]).rstrip(" |–—·•:»›«‹-｜") if known else title)[0]


def _unglued(heading: str, pieces: Sequence[str]) -> str:
    """Return a heading, or the declared title if only that has a mark between its two parts.

    Many sites put a topic above the headline, into the same heading: "Harbour" and "Bridge opens".
    """
    labelled = (each.strip() for each in pieces if _is_labelled(heading, each.strip()))
    if found := next(labelled, ""):
        return found
    whole = any(_even(piece) == _even(heading) for piece in pieces)
    for piece in pieces:
        # A heading may begin with what its kicker says. A mark behind that makes it a part of the headline.
        kicker = heading.removesuffix(piece.strip())
        if (
            not whole
            and not _PARTED.fullmatch(kicker[-2:])
            and _LONG <= len(_even(piece)) < len(_even(heading))
            and _even(heading).endswith(_even(piece))
        ):
            return piece.strip()
        if _even(piece) == _even(heading) and _PARTED.search(piece) and not _PARTED.search(heading):
            return piece.strip()
    return heading


def _is_labelled(heading: str, piece: str) -> bool:
    """Return whether a heading is `piece` with a label behind, as in "Harbour opens: Date"."""
    rest = heading.removeprefix(piece).lstrip(" :：|–-")
    return len(piece) >= _LONG and heading.startswith(piece) and bool(rest) and bool(read_label(rest)[0])


def choose_publisher(
    declared: Declared, shown: Sequence[str], title: str, press: str, above: Sequence[str] = ()
) -> str:
    """Return who published the release: its author if that is an organisation, else the site.

    `shown` are names that the page shows (`shown_names`), and `above` the lines above the text. A wire
    service distributes the releases of others. Then the text names the publisher (`press`).
    """
    sites = [each for each in declared.sites if not _is_title(each, declared.titles)]
    named = [each for each in (*declared.publishers, *sites) if _is_name(each)]
    own = [each for each in named if not is_wire(each)]
    if named and not own:
        return press or named[0]
    if own:
        return own[0].split(" | ")[0].strip()  # "Harbour Office | News of the islands"
    # A name in the script of the text is rather the publisher's own.
    alike = sorted(shown, key=lambda each: each.isascii() != title.isascii())
    seen = press if press and shown and alike[0].isascii() != title.isascii() else next(iter(alike), "")
    found = _name_above(above) or _site_in_title(declared.titles, title, shown) or seen or press
    return found or next((each.removeprefix("www.") for each in sites if "/" not in each), "")


def _name_above(lines: Sequence[str]) -> str:
    """Return the organisation in a line above the text: alone, or behind the kind of the release."""
    for line in lines:
        if hit := INNER_PUBLISHER.search(line):
            return line[hit.end() :].strip()
        *kind, name = SPLIT.split(line)
        is_kind = len(kind) == 1 and kind_of(kind[0])[0] == "kind of release"
        if kind_of(name)[0] in _SECTIONS:
            continue
        if size(name) <= _MOST_WORDS and organisation_score(name) >= (2 if is_kind else 4 + len(kind)):
            return name
    return ""


def shown_names(body: Element, base: str) -> list[str]:
    """Return the names in the copyright line and in the link to the start page, the most reliable first."""
    marked = [each for each in body.iter() if "©" in (each.text or "") or "opyright" in (each.text or "")]
    # Without a year, it is often the credit of a picture.
    texts = ["".join(each.xpath(".//text()[not(ancestor::script)]")) for each in marked[-20:]]
    lines = [
        " ".join(text.split())[:300]
        for each, text in zip(marked[-20:], texts, strict=True)
        if _YEAR.search(text) or _in_footer(each)
    ]
    holders = [from_copyright(Evidence((), [line], (), None, "")) for line in lines]
    links = islice(body.iter("a"), 200)
    linked = [_alt_or_text(each) for each in links if _is_start(each.get("href") or "", base)]
    names = [_LOGO.sub("", each).strip(" -–|") for each in (*holders, *linked)]
    # The name of the host is often a part of the publisher's.
    host = (urlsplit(base).hostname or "").removeprefix("www.").partition(".")[0]
    return sorted(filter(_is_name, names), key=lambda each: not host or host not in _even(each))


def _alt_or_text(link: Element) -> str:
    alts = [each.get("alt") or "" for each in link.iter("img")]
    return text_of(link) or next((each for each in alts if each), "") or link.get("title") or ""


def _in_footer(element: Element) -> bool:
    return next(element.iterancestors("footer"), None) is not None


def _is_start(place: str, base: str) -> bool:
    if place in {"/", "./"}:
        return True
    mine, theirs = urlsplit(base), urlsplit(place)
    return bool(theirs.hostname) and theirs.hostname == mine.hostname and not theirs.path.strip("/")


def _is_title(site: str, titles: Sequence[str]) -> bool:
    """Return whether a site's name is really the title: some systems fill it in everywhere."""
    firsts = [_SITE_MARK.split(each) for each in titles]
    longer = len(site) > 25 and any(_even(each[0]) == _even(site) and len(each) > 1 for each in firsts)
    return longer or any(_even(site) == _even(each) for each in titles if len(site) > 40)


def _without_site(titles: Sequence[str], headings: Sequence[str], sites: set[str]) -> str:
    title = titles[0]
    for heading in headings:
        if shares(heading, title) >= 0.6:
            return heading
    parts = _SITE_MARK.split(title)
    if len(parts) == 1:
        return title
    left = [part for part in parts if _even(part) not in sites]
    longest = max(left or parts, key=len)
    return longest if len(longest) * 2 >= len(title) or len(left) < len(parts) else title


def _site_in_title(titles: Iterable[str], title: str, shown: Sequence[str]) -> str:
    """Return the name of the site before or behind the title of the release."""
    plain = _even(title)
    for each in titles:
        site = each[len(title) :].strip() if title and each.startswith(f"{title}：") else ""
        if organisation_score(site.lstrip("：")) >= NAME:
            return site.lstrip("：")
        parts = [part.strip() for part in _SITE_MARK.split(each)]
        left = [part for part in parts if part and not _is_part_of_title(_even(part), plain)]
        if len(left) < len(parts) and plain and plain in _even(each):
            known = [part for part in left if part in shown]  # the others are mottos
            for part in known[:1] or (left[-1:] if _even(each).startswith(plain) else left[:1]):
                if _is_name(part) and not find_dates(part):
                    return part
    return ""


def _is_part_of_title(part: str, title: str) -> bool:
    return (
        part == title or (len(part) >= 15 and title.startswith(part)) or (len(part) >= 25 and part in title)
    )


def _heading(element: Element) -> str:
    """Return the text of a heading without the date and the hidden words that some have inside."""
    if next(element.iter("time"), None) is None and next(element.iter("span"), None) is None:
        return text_of(element)
    inner = copy.deepcopy(element)
    inner.tail = None
    remove_furniture(inner)
    for each in list(inner.iter("time")):
        each.drop_tree()
    return text_of(inner)


def _is_one_of(text: str, pieces: Sequence[str], *, exact: bool) -> bool:
    mine = _even(text)
    if len(mine) < 4:
        return False
    if any(mine == _even(each) for each in pieces):
        return True
    # A title that was shortened with an ellipsis, or a heading with a part of its own.
    return any(
        (len(other) >= 15 and (mine.startswith(other) or (len(mine) >= 15 and other.startswith(mine))))
        or (len(mine) >= _LONG and other.endswith(mine))
        or (len(other) >= _LONG and mine.endswith(other))
        for other in (_even(each.rstrip(" .…")) for each in pieces)
    ) and (not exact or len(mine) >= 25)


def _is_name(text: str) -> bool:
    text = text.strip()
    has_letters = any(map(str.isalpha, text))
    return (
        has_letters
        and 1 < len(text) <= _LONGEST_NAME
        and not _ADDRESS.fullmatch(text)
        and not _NO_NAME.match(text)
        and kind_of(text)[0] not in _SECTIONS
    )


def _even(text: str) -> str:
    return "".join(_WORD.findall(text.casefold()))


def shares(one: str, other: str) -> float:
    """Return how many of the words of the shorter text the other one has, from 0 to 1."""
    mine, others = set(_WORD.findall(one.casefold())), set(_WORD.findall(other.casefold()))
    return len(mine & others) / max(1, min(len(mine), len(others)))
