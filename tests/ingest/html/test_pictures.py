"""Which picture of a feed's item is its lead image."""

from __future__ import annotations

import pytest

from newsletter.ingest.html.pictures import first_picture, is_lead

BASE = "https://press.example/news/quay"


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<p>A <img src="/quay.jpg" alt="The quay &amp; a ferry"></p>', ("/quay.jpg", "The quay & a ferry")),
        ("<img alt='The quay' src='https://cdn.example/quay.png?w=900'>", ("", "The quay")),
        ("<IMG SRC=/quay.jpg width=600 ALT=Quay>", ("/quay.jpg", "Quay")),
        ('<img data-src="/quay.jpg" alt="">', ("/quay.jpg", "")),
    ],
)
def test_the_first_picture_in_the_text_counts_with_its_description(html: str, found: tuple[str, str]):
    url, alt = first_picture(html, ["https://press.example/other.jpg"], BASE)

    assert url.endswith(found[0])
    assert url.startswith("https://")
    assert alt == found[1]
    assert "other" not in url


@pytest.mark.parametrize(
    "html",
    [
        "",
        '<img src="/logo.png" alt="Press">',
        '<img src="/pixel.gif" width="1" height="1">',
        '<img src="/quay.jpg" width="60" alt="small">',
        '<img src="/quay.svg">',
        '<img src="data:image/png;base64,AAAA">',
        '<img src="javascript:alert(1)">',
        "<img " * 5000,
        ("<img " + "a" * 3990 + ">") * 5,
        ("<img " + "a" * 3980 + "=>") * 5,
    ],
)
def test_decorations_are_no_lead_image_and_the_one_that_the_feed_names_counts(html: str):
    assert first_picture(html, [], BASE) == ("", "")
    assert first_picture(html, ["/pixel.gif", "/ferry.jpg"], BASE) == (
        "https://press.example/ferry.jpg", "",
    )  # fmt: skip


def test_an_address_that_is_too_long_is_none():
    assert not is_lead("https://press.example/" + "x" * 3000)
