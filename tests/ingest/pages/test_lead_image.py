"""Tests of finding the lead image of a page."""

from __future__ import annotations

from newsletter.ingest.pages.declared import Declared
from newsletter.ingest.pages.lead_image import lead_image
from newsletter.ingest.pages.tree import parse_tree

BASE = "https://port.example/news/"
NOTHING = Declared()


def image(body: str, declared: Declared = NOTHING) -> tuple[str, str]:
    return lead_image(parse_tree(f"<html><body>{body}".encode(), "", "x").find("body"), declared, BASE)


def test_the_declared_image_takes_its_words_from_the_same_picture_on_the_page():
    declared = Declared(image_url="https://port.example/big/quay.jpg")

    assert image("<img src=/small/quay.jpg alt='The quay'>", declared) == (declared.image_url, "The quay")


def test_without_one_the_first_large_picture_of_the_article_counts():
    small = "<img src=logo.png><img src=a.jpg width=1>"
    body = f"<img src=top.jpg><article>{small}<img src=b.jpg alt=Ships></article>"

    assert image(body) == ("https://port.example/news/b.jpg", "Ships")


def test_logos_pixels_and_data_are_no_lead_image():
    assert image("<main><img src='data:image/gif;base64,R0'><img src=pixel.gif></main>") == ("", "")
    assert image("", Declared(image_url="https://port.example/logo.svg")) == ("", "")
