"""Test the prose check (tests/guards/prose.py): banned words, long sentences, chains, exceptions."""

from __future__ import annotations

from pathlib import Path

import pytest
from guards.prose import (
    ROOT,
    Ban,
    Rules,
    Text,
    check,
    code_texts,
    document_texts,
    faults,
    parsed,
    read_rules,
    sentences,
    tracked,
)

HERE = ROOT / "newsletter" / "example.py"


def found(text: str) -> list[str]:
    return list(faults([Text(HERE, 3, text)], read_rules()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two.\n\nThree", ["One.", "Two.", "Three"]),
        ("It calls `a.b. C` and ends. Then it stops.", ["It calls Code and ends.", "Then it stops."]),
        ("RFC 5321, section 4.5.4.1, says so.", ["RFC 5321, section 4.5.4.1, says so."]),
    ],
)
def test_a_text_is_cut_into_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_banned_word_is_named_with_its_place_and_what_to_write() -> None:
    (line,) = found("The reader is asked.")

    assert line.startswith("newsletter/example.py:3: “reader”, write: subscriber")


def test_a_sentence_of_more_than_25_words_is_named() -> None:
    assert found(" ".join(["word"] * 25)) == []
    assert found(" ".join(["word"] * 26))[0].startswith("newsletter/example.py:3: 26 words")


def test_a_chain_of_colons_and_semicolons_is_named() -> None:
    assert "a chain" in found("One: two; three; four.")[0]


def test_an_exception_lets_one_sentence_stay() -> None:
    rules = Rules([Ban(read_rules().words[0].pattern, "-")], frozenset(), [("example.py", "screen reader")])

    assert list(faults([Text(HERE, 1, "A screen reader says it.")], rules)) == []
    assert len(list(faults([Text(HERE, 1, "A reader says it.")], rules))) == 1


def test_docstrings_comments_and_messages_of_code_are_read() -> None:
    path = ROOT / "newsletter" / "coverage.py"
    texts = [each.text for each in code_texts(path, parsed(path))]

    assert any("mark" in text for text in texts)


def test_code_in_a_document_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text("A [link](https://example.org/a/b).\n\n```\nsome code here\n```\n\n- one\n- two\n")

    assert [each.text.strip() for each in document_texts(file)] == ["A link.", "one", "two"]


def test_no_text_of_the_project_has_a_banned_word_or_a_long_sentence() -> None:
    assert check(tracked()) == []
