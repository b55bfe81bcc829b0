"""Recognise the name of a publisher."""

from __future__ import annotations

import pytest

from newsletter.ingest.press.lines.line import NAME
from newsletter.ingest.press.lines.organisations import is_wire, looks_like_name, organisation_score


@pytest.mark.parametrize(
    "text",
    [
        "Republic of Lithuania - Ministry of Foreign Affairs",
        "U.S. Department of State",
        "TASS",
        "NATO",
        "UN News",
        "Halden Robotics Inc.",
        "Pajūrio sveikatos institutas",
        "Министерство обороны",
        "外務省",
        "외교부",
        "وزارة الخارجية",
        "Ministère de la Transition",
        "Bundesministerium der Justiz",
        "RFE/RL's Ukrainian Service",
        "City of Brannick",
    ],
)
def test_the_name_of_a_publisher_is_recognised(text: str) -> None:
    assert organisation_score(text) >= NAME


@pytest.mark.parametrize(
    "text",
    [
        "Ministry plants two million trees along motorways",
        "Statement by the Ministry of Defence on the flood",
        "23 October 2025",
        "How many bees does an orchard need?",
        "Government to raise the minimum wage in January",
        "“Nobody should have to choose”",
        "|",
        "",
        "Court rules that seaside paths stay open",
    ],
)
def test_a_headline_or_a_date_is_no_publisher(text: str) -> None:
    assert organisation_score(text) < NAME


def test_a_wire_is_not_taken_for_the_publisher() -> None:
    assert is_wire("PRNewswire")
    assert is_wire("GLOBE NEWSWIRE")
    assert not is_wire("Yonhap")
    assert looks_like_name("Phares et Balises de Cornaille")
    assert not looks_like_name("Un phare rallumé après trente ans")
