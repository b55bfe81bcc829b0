"""What a page declares about its release: JSON-LD, meta elements and links of its head. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from newsletter.ingest.html.to_text import one_line, to_line
from newsletter.ingest.pages.tree import Element
from newsletter.mail.clean_html import absolute

# Types of schema.org that are one text with a date.
_ARTICLES = frozenset({
    "article", "newsarticle", "pressrelease", "blogposting", "report", "analysisnewsarticle",
    "socialmediaposting",
    "reportagenewsarticle", "backgroundnewsarticle", "specialannouncement", "scholarlyarticle", "techarticle",
})  # fmt: skip
_ORGANISATIONS = ("organization", "corporation", "government", "ngo", "newsmedia", "university", "museum")
_LONGEST_SCRIPT = 400_000
_MOST_NODES = 2_000
_DATES = (
    "article:published_time", "datepublished", "parsely-pub-date", "publishdate", "publish-date",
    "publish_date",
    "pubdate", "publication_date", "citation_publication_date", "citation_date", "dcterms.issued",
    "dc.date.issued", "dcterms.created", "dc.date.created", "dcterms.date", "dc.date", "sailthru.date",
    "og:published_time", "og:article:published_time", "article.published", "published_time", "date",
)  # fmt: skip
_PUBLISHERS = (
    "govuk:primary-publishing-organisation",
    "citation_publisher",
    "dcterms.publisher",
    "dc.publisher",
)
_SITES = (
    "og:site_name",
    "publisher",
    "article:publisher",
    "application-name",
    "dcterms.creator",
    "dc.creator",
    "copyright",
)


@dataclass(frozen=True)
class Declared:
    """Values that a page declares, the most reliable first. Dates are texts as they stand in the page.

    `publishers` name who wrote the release; `sites` name the website, which often is the same.
    """

    titles: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    language: str = ""
    canonical_url: str = ""
    image_url: str = ""
    image_alt: str = ""


def read_declared(root: Element, base: str) -> Declared:
    """Return what the page declares. `base` is the URL that relative addresses start from."""
    meta = _metas(root)
    article = _article(root)
    title = next((one_line("".join(each.itertext())) for each in root.iterfind(".//head/title")), "")
    image, alt = _image(article, meta)
    return Declared(
        titles=_some(
            [
                to_line(_text(article.get("headline"))),
                meta.get("og:title", ""),
                meta.get("twitter:title", ""),
                meta.get("dcterms.title", "") or meta.get("dc.title", "") or meta.get("citation_title", ""),
                title,
            ]
        ),
        publishers=_some([*_organisations(article), *(meta.get(name, "") for name in _PUBLISHERS)]),
        sites=_some([_name(article.get("publisher")), *(meta.get(name, "") for name in _SITES)]),
        dates=_some([_text(article.get("datePublished")), *(meta.get(name, "") for name in _DATES)]),
        language=_language(root, article, meta),
        canonical_url=_canonical(root, meta, base),
        image_url=absolute(image, base) or "" if image else "",
        image_alt=alt,
    )


def base_of(root: Element, url: str) -> str:
    """Return the URL that relative links of a page start from."""
    for each in root.iterfind(".//head/base"):
        if each.get("href"):
            return absolute(each.get("href"), url) or url
    return url


def _metas(root: Element) -> dict[str, str]:
    """Return the contents of meta elements by their name in lower case. The first one counts."""
    found: dict[str, str] = {}
    for each in root.iter("meta"):
        content = one_line(each.get("content") or "")[:2000]
        for attribute in ("property", "name", "itemprop"):
            name = (each.get(attribute) or "").strip().lower()
            if name and content:
                found.setdefault(name, content)
    return found


def _article(root: Element) -> Mapping[str, Any]:
    """Return the JSON-LD of the page's own article: that with its title, else the first with a date."""
    nodes: list[dict[str, Any]] = []
    by_id: dict[str, dict[str, Any]] = {}
    for script in root.iter("script"):
        kind = (script.get("type") or "").strip().lower()
        text = script.text or ""
        if not kind.startswith("application/ld+json") or len(text) > _LONGEST_SCRIPT:
            continue
        try:
            loaded = json.loads(text.strip().rstrip(";"), strict=False)
            for node in _nodes(loaded):
                nodes.append(node)
                if own := _text(node.get("@id")):
                    by_id.setdefault(own, node)
        except (ValueError, RecursionError):
            continue
    articles = [each for each in nodes if _types(each) & _ARTICLES]
    # A web page's own date says when the release was published only if there is no article.
    articles = articles or [each for each in nodes if "webpage" in _types(each)]
    page = to_line(" ".join("".join(each.itertext()) for each in root.iterfind(".//head/title"))).casefold()
    named = [
        each
        for each in articles
        if (line := to_line(_text(each.get("headline"))).casefold()) and line[:40] in page
    ]
    dated = [each for each in articles if each.get("datePublished")]
    chosen = next(iter([each for each in named if each in dated] or named or dated or articles), {})
    return {name: _resolved(value, by_id) for name, value in chosen.items()}


def _nodes(loaded: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON-LD document, those of lists and graphs too."""
    waiting, count = [loaded], 0
    while waiting and count < _MOST_NODES:
        each = waiting.pop(0)
        count += 1
        if isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, dict):
            yield each
            waiting.extend(each[name] for name in ("@graph", "mainEntity", "itemListElement") if name in each)


def _resolved(value: Any, by_id: Mapping[str, dict[str, Any]]) -> Any:
    """Return the object that a reference such as {"@id": "#us"} means."""
    if isinstance(value, list) and value:
        return [_resolved(each, by_id) for each in value[:20]]
    if isinstance(value, dict) and not value.get("name") and _text(value.get("@id")) in by_id:
        return by_id[_text(value.get("@id"))]
    return value


def _types(node: Mapping[str, Any]) -> set[str]:
    kinds = node.get("@type")
    return {
        _text(each).rpartition("/")[2].lower() for each in (kinds if isinstance(kinds, list) else [kinds])
    }


def _organisations(article: Mapping[str, Any]) -> list[str]:
    """Return the organisations that wrote an article. A person is no publisher."""
    found = []
    for each in _listed(article.get("sourceOrganization")) + _listed(article.get("author")):
        if isinstance(each, dict) and any(word in kind for kind in _types(each) for word in _ORGANISATIONS):
            found.append(_name(each))
    return found


def _image(article: Mapping[str, Any], meta: Mapping[str, str]) -> tuple[str, str]:
    first = next(iter(_listed(article.get("image"))), None)
    own = _text(first.get("url") or first.get("contentUrl")) if isinstance(first, dict) else _text(first)
    shared = meta.get("og:image") or meta.get("og:image:url") or meta.get("og:image:secure_url") or ""
    alt = meta.get("og:image:alt", "") if shared else ""
    twitter = meta.get("twitter:image") or meta.get("twitter:image:src") or ""
    return shared or own or twitter, alt or (meta.get("twitter:image:alt", "") if twitter else "")


def _language(root: Element, article: Mapping[str, Any], meta: Mapping[str, str]) -> str:
    html = (
        root.get("lang")
        or root.get("{http://www.w3.org/XML/1998/namespace}lang")
        or root.get("xml:lang")
        or ""
    )
    given = [
        html,
        _text(article.get("inLanguage")),
        meta.get("content-language", ""),
        meta.get("og:locale", ""),
    ]
    return next((each.strip()[:20] for each in given if each.strip()), "")


def _canonical(root: Element, meta: Mapping[str, str], base: str) -> str:
    for each in root.iter("link"):
        if "canonical" in (each.get("rel") or "").lower().split() and each.get("href"):
            return absolute(each.get("href"), base) or ""
    return absolute(meta.get("og:url", ""), base) or "" if meta.get("og:url") else ""


def _name(value: Any) -> str:
    for each in _listed(value):
        found = _text(each.get("name")) if isinstance(each, dict) else _text(each)
        if found:
            return to_line(found)
    return ""


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = next((each for each in value if isinstance(each, str)), "")
    return value if isinstance(value, str) else ""


def _some(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for value in values if (each := one_line(value)[:1000])))
