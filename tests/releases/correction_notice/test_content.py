"""What a correction notice says: few words around each change, and no more than fits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from house import NOON

from newsletter.errors import InputError
from newsletter.releases.correction_notice.content import (
    LONGEST_SENTENCE,
    MOST_PARAGRAPHS,
    changes_between,
    make_content,
    read_sentence,
)
from newsletter.releases.revisions.store import Texts

BEFORE = Texts("A sea wave", "Port", NOON, NOON.date(), "en", "<p>One.</p>", "One.", "One.")


def test_a_change_has_few_of_the_words_around_it():
    words = "calm " * 60
    before = replace(BEFORE, body_text=f"{words}on 4 May {words}")
    after = replace(BEFORE, body_text=f"{words}on 5 May {words}", summary="Another summary.")

    (change,) = changes_between(before, after)

    assert change["field"] == "text"
    (pieces,) = change["paragraphs"]
    assert [kind for kind, _ in pieces] == ["same", "removed", "added", "same"]
    assert pieces[1:3] == [["removed", "4"], ["added", "5"]]
    assert pieces[0][1].startswith("…")
    assert pieces[3][1].endswith("…")
    assert sum(len(words) for _, words in pieces) < 200


def test_many_changes_are_cut_and_the_notice_says_so():
    before = replace(BEFORE, body_text="\n".join(f"Line {each} of 4." for each in range(40)))
    after = replace(BEFORE, body_text="\n".join(f"Line {each} of 5." for each in range(40)))

    (change,) = changes_between(before, after)

    assert len(change["paragraphs"]) == MOST_PARAGRAPHS
    assert change["is_cut"]


def test_a_summary_is_shown_only_if_nothing_else_was_changed():
    (change,) = changes_between(BEFORE, replace(BEFORE, email_summary="In short."))

    assert change["field"] == "summary"


def test_with_a_sentence_there_are_no_changes():
    content = make_content("abc", replace(BEFORE, title="A sea storm"), {1: BEFORE}, "We mixed them up.")

    assert (content["sentence"], content["changes"], content["earlier"]) == ("We mixed them up.", {}, [1])


@pytest.mark.parametrize("text", ["x" * (LONGEST_SENTENCE + 1), "Two\x00three"])
def test_a_sentence_that_cannot_be_shown_is_refused(text: str):
    with pytest.raises(InputError, match="sentence"):
        read_sentence(text)
