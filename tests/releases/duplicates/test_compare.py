"""Tests of the comparison of two releases, word by word."""

from __future__ import annotations

from datetime import date

import pytest

from newsletter.releases.duplicates.compare import Sample, compare, read_words, spelled_alike

DAY = date(2026, 3, 10)
LEAD = (
    "The harbour of Halmstrand will get a third quay for container ships, the regional council decided on "
    "Tuesday after a long debate. Building begins in the autumn and will take a little more than two years. "
    "Until then the ships moor at the old quay, which was built for much smaller vessels a century ago."
)
BODY = (
    f"{LEAD}\n\nThe council expects that the new quay brings work to 140 people. Fishermen asked for a place "
    "of their own, and they will get one at the northern end. The road along the water stays open to all, "
    "and a footbridge will lead over the rails. Schools may visit the building site on each second Friday. "
    "Residents can see the plans in the town hall and write down what they think of them."
)


def sample(title: str = "Halmstrand gets a third quay", body: str = BODY, publisher: str = "Port") -> Sample:
    return Sample(title, publisher, body, DAY)


def differs(body: str, title: str = "Halmstrand gets a third quay") -> set[str]:
    return set(compare(sample(), sample(title, body)).differs)


def test_equal_texts_differ_in_nothing():
    likeness = compare(sample(), sample(body=BODY.replace(" ", "  ").upper()))

    assert (likeness.shared, likeness.covered, likeness.differs, likeness.is_equal) == (1, 1, (), True)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("140 people", "150 people", "figures"),
        ("Tuesday", "Wednesday", "names"),
        ("Halmstrand will", "Tarnholm will", "names"),
        ("third quay for", "fourth quay for", "words"),
        ("will get a third", "will not get a third", "words"),
        ("decided", "denied", "words"),
        ("second Friday", "second Monday", "names"),
        (", and a footbridge will lead over the rails", "", "words"),
    ],
)
def test_what_differs_is_named(old: str, new: str, what: str):
    assert old in BODY

    assert what in differs(BODY.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("footbridge", "footbrigde"),
        ("rails", "tracks"),
        ("decided", "decidet"),
        ("“", "'"),
        ("people", "people "),
    ],
)
def test_a_mistake_in_a_word_makes_no_difference(old: str, new: str):
    assert differs(BODY.replace(old, new)) == set()


def test_a_dateline_a_repeated_title_and_an_ending_make_no_difference():
    ending = "About the port\nThe port was founded in 1871 and has 310 employees. Telephone 040 5550 192."

    assert differs(f"HALMSTRAND, 10 March 2026 – {BODY}") == set()
    assert differs(f"Halmstrand gets a third quay\n\n{BODY}") == set()
    assert differs(f"{BODY}\n\n{ending}") == set()
    assert differs(f"HALMSTRAND, 11 April 2026 – {BODY}") == {"figures"}


def test_a_title_may_have_the_publisher_or_a_label_and_nothing_else():
    assert differs(BODY, "Port: Halmstrand gets a third quay") == set()
    assert differs(BODY, "Press release: HALMSTRAND GETS A THIRD QUAY") == set()
    assert differs(BODY, "Cancelled: Halmstrand gets a third quay") == {"title"}
    assert differs(BODY, "Halmstrand gets a fourth quay") == {"title"}


def test_a_text_that_is_cut_off_is_covered_by_the_whole_one():
    short = sample(body=LEAD)

    assert compare(sample(), short).covered == 1
    assert compare(short, sample()).covered < 0.5


def test_opposites_are_not_spelled_alike():
    opposites = [
        ("increase", "decrease"), ("million", "billion"), ("lawful", "unlawful"), ("suspended", "resumed"),
        ("sixteen", "sixty"), ("minimum", "maximum"), ("import", "export"),
    ]  # fmt: skip

    assert not any(spelled_alike(*pair) for pair in opposites)
    assert spelled_alike("harbour", "harbor")
    assert spelled_alike("geöffnet", "geöfnet")


def test_a_sign_before_a_figure_is_a_word():
    assert [each.folded for each in read_words("from -0.4 to 0.4 % (+2), 2024-25")] == [
        "from", "-", "0", "4", "to", "0", "4", "%", "+", "2", "2024", "25",
    ]  # fmt: skip


def test_texts_that_repeat_themselves_are_not_compared_word_by_word():
    one, other = (f"{BODY} {'ab cd ' * 900}{BODY} {end}" for end in ("x 1", "y 2"))

    assert differs(BODY) == set()
    assert set(compare(sample(body=one), sample(body=other)).differs) == {"figures"}
    assert "figures" in compare(sample(body=f"a {one}"), sample(body=f"b 2 {other}")).differs
