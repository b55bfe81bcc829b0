"""How sure the choice of a title is: right and wrong titles on the pages of tests/data/press and variants."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from reader_variants import Outcome, outcomes

from newsletter.ingest.press.clean import RawLine
from newsletter.ingest.press.doubt import FIRST_SENTENCE, LABELLED, SURE, WEIGHTS, confidence, signs
from newsletter.ingest.press.head import read_head
from newsletter.ingest.press.lines.line import Line, classify
from newsletter.ingest.press.parse import parse_press
from newsletter.ingest.press.title import Entry, Repeats, choose_title

PAGES = Path(__file__).parents[2] / "data" / "press"
BODY = (
    "The harbour council of Brinehaven keeps the fares of the island ferries for a year, it said on Monday."
)


def lines(*texts: str) -> list[Line]:
    return [classify(RawLine(text, gap=True)) for text in texts]


def title_confidence(*head: str) -> float:
    return read_head(lines(*head, BODY, BODY)).sure


@pytest.fixture(scope="module")
def found() -> list[Outcome]:
    return list(outcomes(PAGES))


def test_nine_in_ten_wrong_titles_are_held(found: list[Outcome]) -> None:
    wrong = [each.held for each in found if not each.right]

    assert len(wrong) > 300
    assert sum(wrong) >= 0.9 * len(wrong)


def test_at_most_one_in_twenty_right_titles_is_held(found: list[Outcome]) -> None:
    right = [each.held for each in found if each.right]

    assert len(right) > 600
    assert sum(right) <= 0.05 * len(right)


def test_a_headline_with_words_of_the_text_is_sure() -> None:
    assert title_confidence("Council keeps the fares of the island ferries", "5 May 2025") > SURE


@pytest.mark.parametrize(
    "line",
    [
        "Наши новости о погоде и спорте сегодня",  # another script
        "Lanterns",
        "Ministry of Harbours and Ferries",
        "(Photographs of the northern pier)",
        "Concerning the „fares in the islands",  # a part of a quotation
        "Did you not find what you looked for?",
    ],
)
def test_a_line_that_is_no_headline_is_doubted(line: str) -> None:
    assert title_confidence(line) < SURE


def test_headlines_of_other_pages_in_one_block_are_doubted() -> None:
    texts = ("Storm warning lifted for the islands", "Pilots train on a simulator", "Lanterns return in May")
    block = [classify(RawLine(text, gap=not at)) for at, text in enumerate(texts)]

    assert read_head([*block, *lines(BODY, BODY)]).sure < SURE


def test_a_subheading_is_not_taken_for_the_headline_of_another_page() -> None:
    head = lines("Port of Brinehaven", "5 May 2025", "Ferries to the islands cost the same for a year")
    below = classify(RawLine("Fishermen praise the promise of a whole year", gap=False))

    assert read_head([*head, below, *lines(BODY, BODY)]).sure > SURE


def test_a_title_with_a_label_is_sure_and_a_first_sentence_is_not() -> None:
    assert title_confidence("Title: Fares stay the same") == LABELLED > SURE
    assert parse_press(f"{BODY}\n\n{BODY} Really.", "x").doubts == ("title",)
    assert parse_press(f"Lund (ots) - Addition to number 1\n{BODY}\n\n{BODY} Really.", "x").doubts == (
        "title",
    )
    assert FIRST_SENTENCE < SURE


def test_the_confidence_is_the_logistic_function_of_the_weighted_signs() -> None:
    (line, *below) = lines("Council keeps the fares of the island ferries", BODY)
    choice = choose_title([Entry(0, line.text, line)], below, Repeats([line]), {}, 1)
    assert choice is not None

    total = sum(WEIGHTS[name] * value for name, value in signs(choice).items())

    assert confidence(choice) == pytest.approx(1 / (1 + math.exp(-total)))
    assert set(signs(choice)) == set(WEIGHTS)
