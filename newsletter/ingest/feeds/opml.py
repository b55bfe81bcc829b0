"""Read and write lists of feeds as OPML 2.0 (http://opml.org/spec2.opml). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring
from xml.parsers import expat

from newsletter.errors import InputError
from newsletter.ingest.feeds.check_xml import check_xml
from newsletter.ingest.html.to_text import one_line

MOST_FEEDS = 10_000
LARGEST_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Outline:
    """A feed in a list: its address, its title and the page that it belongs to."""

    url: str
    title: str = ""
    site_url: str = ""


def read_opml(data: bytes) -> list[Outline]:
    """Return the feeds of a list, each address once, in the order of the file. Raises InputError."""
    if len(data) > LARGEST_BYTES:
        raise InputError("The OPML file is larger than 8 MB.")
    check_xml(data)
    found: dict[str, Outline] = {}
    names: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        names.append(name.lower())
        given = {key.lower(): value for key, value in attributes.items()}
        url = given.get("xmlurl", "").strip()
        if name.lower() == "outline" and url and url not in found:
            title = one_line(given.get("title") or given.get("text") or "")
            found[url] = Outline(url, title[:300], given.get("htmlurl", "").strip()[:2000])

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    try:
        parser.Parse(data, True)
    except expat.ExpatError as fault:
        raise InputError(f"The file is not valid XML: {fault}") from fault
    if not names or names[0] != "opml":
        raise InputError("The file is not an OPML list of feeds.")
    if len(found) > MOST_FEEDS:
        raise InputError(f"The file has more than {MOST_FEEDS:,} feeds.")
    return list(found.values())


def write_opml(title: str, outlines: Iterable[Outline]) -> bytes:
    """Return a list of feeds as a document in UTF-8."""
    root = Element("opml", version="2.0")
    SubElement(SubElement(root, "head"), "title").text = one_line(title)
    body = SubElement(root, "body")
    for each in outlines:
        name = one_line(each.title) or each.url
        given = {"type": "rss", "text": name, "title": name, "xmlUrl": each.url}
        if each.site_url:
            given["htmlUrl"] = each.site_url
        SubElement(body, "outline", given)
    made: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return made + b"\n"
