"""Tests of deciding title and publisher of a page."""

from __future__ import annotations

import pytest

from newsletter.ingest.pages.declared import Declared
from newsletter.ingest.pages.names import choose_publisher, choose_title, dated_pieces, shown_names
from newsletter.ingest.pages.tree import parse_tree


def title(body: str, *titles: str, sites: tuple[str, ...] = ()) -> str:
    return choose_title(parse_tree(body.encode(), "", "x"), Declared(titles=titles, sites=sites))


def test_the_heading_that_is_also_the_declared_title_counts():
    body = "<h1>News</h1><h2>The quay opens in April</h2><h2>More</h2>"

    assert title(body, "The quay opens in April - Port of Halden") == "The quay opens in April"


def test_a_longer_heading_than_the_declared_title_counts_whole():
    body = "<h1>Port of Halden</h1><h1>The quay opens in April, and ferries use it</h1>"

    assert title(body, "The quay opens in April…") == "The quay opens in April, and ferries use it"


def test_a_topic_inside_the_heading_is_parted_from_the_headline_as_in_the_declared_title():
    body = "<h1><span>Harbour</span><span>The quay opens in April</span></h1>"

    assert title(body, "Harbour: The quay opens in April | Port") == "Harbour: The quay opens in April"


def test_a_line_above_the_text_names_the_publisher_if_the_page_declares_none():
    lines = ["12 May 2030", "Press release | Harbour Guild of Marlow", "For immediate release"]

    assert choose_publisher(Declared(), ["Forum"], "The quay opens", "", lines) == "Harbour Guild of Marlow"
    assert (
        choose_publisher(Declared(), [], "The quay opens", "x", ["Ministry of Ports"]) == "Ministry of Ports"
    )
    assert choose_publisher(Declared(), ["Forum"], "The quay opens", "", ["Ada Finch"]) == "Forum"


def test_a_kicker_before_the_headline_is_left_out_if_the_page_declares_the_headline():
    body = "<h1>News of the Harbour Council :The quay opens in April for all ferries</h1>"
    parted = "<h1>The quay opens in April – ferries use it from the first of May</h1>"

    assert title(body, "News", "The quay opens in April for all ferries").startswith("The quay")
    assert title(parted, "The quay opens in April – ferries use it from the first of May").startswith("The q")


def test_a_label_inside_the_heading_is_parted_from_the_headline():
    body = "<h1><span>The quay opens for ferries in April</span><small>: Date: Release: 6/2031</small></h1>"

    assert title(body, "The quay opens for ferries in April - Port") == "The quay opens for ferries in April"


def test_the_kind_of_a_release_is_no_publisher():
    lines = ["Press Releases", "12 May 2030"]

    assert (
        choose_publisher(
            Declared(titles=("The quay opens | News | Harbour Parliament",)), [], "The quay opens", "", lines
        )
        == "Harbour Parliament"
    )


def test_a_section_of_the_site_in_a_heading_is_not_the_title():
    body = "<h1>News</h1><h3>More about ferries</h3>"

    assert title(body, "The first lamp decides", "News - Port of Halden") == "The first lamp decides"


def test_a_place_with_a_colon_before_the_headline_belongs_to_it():
    body = "<h3>Halden : A pilot left his ferry in the fog</h3>"

    assert title(body, "Halden : A pilot left his ferry in the fog ‹ Harbour Watch").startswith(
        "Halden : A pilot"
    )


def test_a_date_among_the_pieces_of_a_declared_title_is_one_of_the_page():
    assert dated_pieces(["The quay opens on 3 May | 2.11.2031 | Port of Halden"]) == ["2.11.2031"]


def test_the_publisher_is_not_the_motto_behind_it():
    declared = Declared(titles=("The quay opens in April - HGM - Together on the water",))

    assert choose_publisher(declared, ["HGM"], "The quay opens in April", "") == "HGM"


def test_a_label_above_the_text_names_the_publisher():
    lines = ["北浜新聞港湾 ( 2031-06-04 09:20:26 ) 来源：北浜町日報"]

    assert choose_publisher(Declared(), [], "話劇の巡演", "", lines) == "北浜町日報"


def test_a_name_in_the_script_of_the_text_is_rather_the_publisher():
    shown = ["BEIHAMA CO.,LTD"]

    assert choose_publisher(Declared(), shown, "新しい鍵を発売", "北浜町船具株式会社") == "北浜町船具株式会社"
    assert choose_publisher(Declared(), shown, "新しい鍵を発売", "") == "BEIHAMA CO.,LTD"


def test_a_kind_in_brackets_and_a_known_site_are_no_part_of_the_title():
    assert title("<h1>[News] The quay opens", "[News] The quay opens") == "The quay opens"
    assert (
        title("<h1>The quay opens | Port</h1>", "The quay opens | Port", sites=("Port",)) == "The quay opens"
    )


def test_a_site_stands_behind_a_wide_colon():
    declared = Declared(titles=("新しい桟橋：北浜 港湾研究機構",))

    assert choose_publisher(declared, [], "新しい桟橋", "") == "北浜 港湾研究機構"


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
        (Declared(sites=("www.port.example",)), "", "port.example"),
        (Declared(titles=("The quay opens | Port of Halden",)), "", "Port of Halden"),
        (Declared(), "", ""),
    ],
)
def test_the_publisher_is_who_wrote_the_release(declared: Declared, press: str, expected: str):
    assert choose_publisher(declared, (), "The quay opens", press) == expected


def test_a_site_with_the_name_of_the_title_is_no_publisher():
    title = "The port of Halden opens its new quay"
    declared = Declared(titles=(f"{title} | Port",), sites=(title,))

    assert choose_publisher(declared, (), title, "") == "Port"


def test_a_short_heading_that_is_a_part_of_the_declared_title_is_not_the_title():
    body = "<h2>News</h2><h1>Council opens the new quay for ferries</h1>"

    assert (
        title(body, "EC opens the new quay for ferries | News | Port")
        == "Council opens the new quay for ferries"
    )


def test_a_heading_is_read_without_the_date_inside():
    body = "<h1><time>3 March 2026</time> <span>The quay opens in April</span></h1>"

    assert title(body, "The quay opens in April - Port") == "The quay opens in April"


def test_the_copyright_line_and_the_link_to_the_start_page_name_the_publisher():
    logo = "<a href='/'><img alt='Logo Port of Halden'></a>"
    body = f"<p>© Ann Photo</p>{logo}<footer>© 2026 City of Halden</footer>"
    root = parse_tree(f"<html><body>{body}".encode(), "", "x").find("body")

    assert shown_names(root, "https://port.example/news/1") == ["Port of Halden", "City of Halden"]
    assert choose_publisher(Declared(), ("City of Halden",), "The quay opens", "") == "City of Halden"
