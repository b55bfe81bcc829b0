"""Tests of deciding title and publisher of a page."""

from __future__ import annotations

import pytest

from newsletter.ingest.pages.declared import Declared
from newsletter.ingest.pages.names import choose_publisher, choose_title
from newsletter.ingest.pages.tree import parse_tree


def title(body: str, *titles: str, sites: tuple[str, ...] = ()) -> str:
    return choose_title(parse_tree(body.encode(), "", "x"), Declared(titles=titles, sites=sites))


def test_the_heading_that_is_also_the_declared_title_counts():
    body = "<h1>News</h1><h2>The quay opens in April</h2><h2>More</h2>"

    assert title(body, "The quay opens in April - Port of Halden") == "The quay opens in April"


def test_a_longer_heading_than_the_declared_title_counts_whole():
    body = "<h1>Port of Halden</h1><h1>The quay opens in April, and ferries use it</h1>"

    assert title(body, "The quay opens in April…") == "The quay opens in April, and ferries use it"


def test_without_a_heading_the_site_is_taken_off_the_declared_title():
    assert title("<p>x", "Port | The quay opens", sites=("Port",)) == "The quay opens"
    assert title("<p>x", "The quay opens") == "The quay opens"
    assert title("<h1>The quay opens</h1>") == "The quay opens"
    assert title("<p>x") == ""


@pytest.mark.parametrize(
    ("declared", "press", "expected"),
    [
        (Declared(publishers=("Port of Halden",), sites=("City",)), "", "Port of Halden"),
        (Declared(sites=("City of Halden",)), "Somebody", "City of Halden"),
        (Declared(sites=("PR Newswire",)), "Halden Robotics", "Halden Robotics"),
        (Declared(sites=("www.port.example", "Home")), "Port of Halden", "Port of Halden"),
        (Declared(titles=("The quay opens | Port of Halden",)), "", "Port of Halden"),
        (Declared(), "", ""),
    ],
)
def test_the_publisher_is_who_wrote_the_release(declared: Declared, press: str, expected: str):
    assert choose_publisher(declared, "The quay opens", press) == expected
