"""An editor sees which words a correction removed and added."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from newsletter.releases.revisions.differences import MOST_PARAGRAPHS, MOST_WORDS, differences
from newsletter.releases.revisions.store import Texts

QUAY = Texts(
    "A new quay", "Port", datetime(2026, 3, 10, 12, tzinfo=UTC), date(2026, 3, 10), "en",
    "<p>It has three berths.</p>", "It has three berths.\n\nIt is open.", "It is open.",
)  # fmt: skip


def pieces(before: Texts, after: Texts) -> dict[str, list[list[tuple[str, str]]]]:
    return {
        each.field: [[(piece.kind, piece.words) for piece in paragraph] for paragraph in each.paragraphs]
        for each in differences(before, after)
    }


def test_only_the_words_that_changed_are_marked():
    after = replace(QUAY, title="A new pier", body_text="It has four berths.\n\nIt is open.")

    assert pieces(QUAY, after) == {
        "Title": [[("same", "A new "), ("removed", "quay"), ("added", "pier")]],
        "Text": [
            [("same", "It has "), ("removed", "three"), ("added", "four"), ("same", " berths.")],
        ],
    }


def test_a_paragraph_that_was_added_stands_alone():
    after = replace(QUAY, body_text=QUAY.body_text + "\n\nCome and see.")

    assert pieces(QUAY, after) == {"Text": [[("added", "Come and see.")]]}


def test_the_same_texts_have_no_difference_and_a_new_form_is_told():
    after = replace(QUAY, body_html="<p><strong>It</strong> has three berths.</p>")

    assert differences(QUAY, QUAY) == []
    assert pieces(QUAY, after) == {"Text": [[("same", "Only the form of the text was changed.")]]}


def test_long_texts_are_compared_less_closely():
    long = replace(QUAY, body_text="a " * (MOST_WORDS + 1))
    longer = replace(QUAY, body_text="b " * (MOST_WORDS + 1))
    many = replace(QUAY, body_text="\n".join(map(str, range(MOST_PARAGRAPHS + 50))))

    assert [len(each) for each in pieces(long, longer)["Text"]] == [2]
    assert pieces(QUAY, many)["Text"]
