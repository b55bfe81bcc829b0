"""The journal shows which messages a dead worker sent and which replies came, even if it is damaged."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import ServiceError
from newsletter.outbox.journals.journal import Journal, abandoned, read_record
from newsletter.smtp.outcomes import Fate, Outcome, Step
from newsletter.smtp.replies import Reply

OK = Outcome(Fate.REPLIED, Step.CONTENT, Reply(250, ("2.0.0 ok",)))
LATER = Outcome(Fate.REPLIED, Step.RCPT, Reply(451, ("4.7.1 later",)))

words = st.text(st.characters(codec=None), max_size=600)
replies = st.builds(Reply, st.integers(200, 599), st.lists(words, max_size=3).map(tuple))
outcomes = st.builds(
    Outcome, st.sampled_from(Fate), st.none() | st.sampled_from(Step), st.none() | replies, words
)
ids = st.integers(1, 10**12)


def write(folder: str, lines: list[tuple[int, Outcome | None]]) -> Path:
    """Write a journal of starts (None) and replies, as a worker that is killed then; return its path."""
    journal = Journal(Path(folder))
    for delivery_id, outcome in lines:
        if outcome is None:
            journal.start(delivery_id)
        else:
            journal.reply(delivery_id, outcome)
    journal.abandon()
    return journal.path


def flat(outcome: Outcome) -> str:
    """Return the text of an outcome as the journal stores it."""
    text = outcome.reply.text if outcome.reply else outcome.reason
    return " ".join(text.split())[:400].strip().encode("utf-8", "replace").decode()


@given(st.lists(st.tuples(ids, outcomes), max_size=8))
def test_what_is_written_down_is_read_back(heard):
    with tempfile.TemporaryDirectory() as folder:
        lines = [line for number, outcome in heard for line in ((number, None), (number, outcome))]

        record = read_record(write(folder, lines))

    assert record.complete
    assert record.unanswered == frozenset()
    assert record.outcomes.keys() == dict(heard).keys()
    for number, outcome in dict(heard).items():
        read = record.outcomes[number]
        assert (read.fate, read.step, read.accepted) == (outcome.fate, outcome.step, outcome.accepted)
        assert (read.reply and read.reply.code) == (outcome.reply and outcome.reply.code)
        assert flat(read) == flat(outcome)


@given(st.lists(st.tuples(st.integers(1, 5), st.none() | outcomes), max_size=8), st.data())
def test_a_journal_cut_anywhere_invents_no_answer(lines, data):
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, lines)
        whole = path.read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:cut])

        record = read_record(path)

        # Exactly the content of every complete line before the cut.
        path.write_bytes(whole[: whole.rfind(b"\n", 0, cut) + 1])
        assert record == read_record(path)
    said = [number for number, outcome in lines if outcome is not None and outcome.accepted]
    accepted = {number for number, outcome in record.outcomes.items() if outcome.accepted}
    assert accepted <= set(said)
    assert record.complete == (b"\n" in whole[:cut])


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"start 1", b"reply 2 replied content", b"boot"])))
def test_damage_is_no_error_and_makes_nobody_accepted(lines):
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, [(7, None)])
        with path.open("ab") as file:
            file.write(b"\n".join([*lines, b""]))

        record = read_record(path)

    assert not any(outcome.accepted for outcome in record.outcomes.values())
    assert 7 in record.unanswered or 7 in record.outcomes


def test_a_damaged_line_leaves_nothing_for_certain(tmp_path):
    path = write(str(tmp_path), [(1, None)])
    with path.open("a") as file:
        file.write("start 2reply 1 replied content 250 ok\n")

    record = read_record(path)

    assert not record.complete
    assert record.unanswered == {1}


def test_a_second_try_makes_the_first_answer_say_nothing(tmp_path):
    record = read_record(write(str(tmp_path), [(1, None), (1, LATER), (1, None), (2, None), (2, OK)]))

    assert record.unanswered == {1}
    assert set(record.outcomes) == {2}


def test_two_who_clear_up_at_once_do_not_hinder_each_other(tmp_path):
    write(str(tmp_path), [(1, None)])
    write(str(tmp_path), [(2, None)])
    first, second = abandoned(tmp_path), abandoned(tmp_path)

    record, path = next(first)
    other, other_path = next(second)
    path.unlink()
    other_path.unlink()

    assert {record.unanswered, other.unanswered} == {frozenset({1}), frozenset({2})}
    assert list(first) == []
    assert list(second) == []


FULL = """
import resource, sys
from pathlib import Path
from newsletter.errors import ServiceError
from newsletter.outbox.journals.journal import Journal

folder, limit = Path(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
journal, written = Journal(folder), 0
try:
    while True:
        journal.start(written)
        written += 1
except ServiceError as fault:
    print(fault)
resource.setrlimit(resource.RLIMIT_FSIZE, (2 * limit, resource.RLIM_INFINITY))
journal.start(written)
print(written, len(list(folder.iterdir())))
"""


def test_a_line_that_found_no_room_is_not_glued_to_the_next(tmp_path):
    told = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), "1003"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    (path,) = tmp_path.iterdir()

    record = read_record(path)

    assert told[0].startswith("cannot write the journal")
    written = int(told[1].split()[0])
    assert record.complete
    assert record.unanswered == set(range(written + 1))


def test_a_journal_that_cannot_be_begun_leaves_nothing(tmp_path):
    told = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), "20"], capture_output=True, text=True, check=False
    )

    assert "cannot write the journal" in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path):
    (tmp_path / "journal").write_text("a file")

    with pytest.raises(ServiceError, match="cannot write the journal"):
        Journal(tmp_path / "journal")


def test_who_writes_late_writes_into_no_other_file(tmp_path):
    """A connection's thread may write late, while its process ends. File numbers are reused at once."""
    journal = Journal(tmp_path)
    journal.abandon()

    with (tmp_path / "another").open("w+b") as another:
        with pytest.raises(ServiceError, match="cannot write the journal"):
            journal.reply(1, OK)

        assert another.seek(0, 2) == 0
    assert read_record(journal.path).outcomes == {}
