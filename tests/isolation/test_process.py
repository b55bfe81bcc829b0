"""Tests of child processes with limits (process.py, child.py)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from newsletter.isolation.process import Answer, IsolatedProcess

PROGRAM = """
import os
from newsletter.errors import InputError
from newsletter.isolation.process import Answer

def answer(document, request):
    match request["what"]:
        case "reverse":
            return Answer({"pid": os.getpid()}, document[::-1])
        case "refuse":
            raise InputError("It is not wanted.")
        case "fail":
            raise KeyError("x")
        case "grow":
            return Answer({}, b"x" * 10**9)
        case "die":
            os._exit(1)
        case "loop":
            while True:
                pass
        case "environment":
            return Answer({"names": sorted(os.environ)})
"""


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "made_for_this_test.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with IsolatedProcess("made_for_this_test", seconds=0.5) as made:
        yield made


def test_documents_and_answers_are_bytes_of_any_kind(process: IsolatedProcess):
    document = bytes(range(256)) * 1000

    first = process.ask(document, {"what": "reverse"})
    second = process.ask(b"", {"what": "reverse"})

    assert first == Answer({"pid": process.pid}, document[::-1])
    assert second == Answer({"pid": process.pid}, b"")


def test_a_refused_document_and_a_failure_leave_the_process_as_it_is(process: IsolatedProcess):
    assert process.ask(b"x", {"what": "refuse"}).unreadable == "It is not wanted."
    assert process.ask(b"x", {"what": "fail"}).unreadable == "It cannot be read (KeyError)."
    pid = process.pid

    assert process.ask(b"ab", {"what": "reverse"}) == Answer({"pid": pid}, b"ba")


@pytest.mark.parametrize(
    ("what", "words"), [("grow", "too much memory"), ("loop", "too long"), ("die", "too long or too much")]
)
def test_a_limit_ends_with_a_clear_answer_and_the_next_document_is_read(
    process: IsolatedProcess, what: str, words: str
):
    assert words in process.ask(b"x", {"what": what}).unreadable

    assert process.ask(b"ab", {"what": "reverse"}).content == b"ba"


def test_a_process_that_was_killed_is_replaced(process: IsolatedProcess):
    first = process.ask(b"", {"what": "reverse"}).facts["pid"]
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)

    assert process.ask(b"", {"what": "reverse"}).facts["pid"] != first


def test_the_process_gets_no_setting_of_the_service(
    process: IsolatedProcess, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NEWSLETTER_SECRET_KEYS", "a-secret")

    names = process.ask(b"", {"what": "environment"}).facts["names"]

    assert "NEWSLETTER_SECRET_KEYS" not in names
    assert "PATH" in names
