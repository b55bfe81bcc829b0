"""Find the lead image of a release: its address and what it shows. Pure."""

from __future__ import annotations

from newsletter.ingest.html.pictures import LONGEST_ALT, file_of, is_lead, picture_of
from newsletter.ingest.pages.declared import Declared
from newsletter.ingest.pages.tree import Element


def lead_image(body: Element, declared: Declared, base: str) -> tuple[str, str]:
    """Return the address and the alternative text of the lead image, each "" if there is none.

    The picture that the page declares counts, else the first large one in an article. Its alternative text is
    that of the same picture on the page.
    """
    pictures = [_picture(each, base) for each in body.iter("img")]
    shown = [each for each in pictures if each is not None]
    if is_lead(declared.image_url):
        name = file_of(declared.image_url)
        alt = declared.image_alt or next((alt for url, alt in shown if file_of(url) == name), "")
        return declared.image_url, alt[:LONGEST_ALT]
    scope = next(iter([*body.iter("article"), *body.iter("main")]), None)
    inside = [_picture(each, base) for each in scope.iter("img")] if scope is not None else []
    return next((each for each in inside if each is not None), ("", ""))


def _picture(element: Element, base: str) -> tuple[str, str] | None:
    return picture_of({str(name): str(value) for name, value in element.attrib.items()}, base)
