from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from newsletter.web.public.signup.write_batches import WriteBatcher, WriteLock

LONG = 20.0


class Desk:
    """Converts words to upper case. Each batch waits until the test allows it."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.batcher = WriteBatcher(self._write)

    def _write(self, words: Sequence[str]) -> list[str]:
        self.batches.append(list(words))
        self.begun.release()
        assert self.let.acquire(timeout=LONG)
        if "broken" in words:
            raise ValueError("one word is broken")
        if "locked" in words:
            raise OperationalError("INSERT", {}, Exception("database is locked"))
        return [word.upper() for word in words]

    def waiting(self) -> int:
        return len(self.batcher._waiting)


def all_at_once(desk: Desk, *words: str) -> list[Future[str]]:
    """Send the first word, then the others while it is being written; then allow all batches."""
    pool = ThreadPoolExecutor(len(words))
    asked = [pool.submit(desk.batcher, words[0])]
    assert desk.begun.acquire(timeout=LONG)
    asked += [pool.submit(desk.batcher, word) for word in words[1:]]
    until(lambda: desk.waiting() == len(words) - 1)
    for _ in range(2 + len(words)):
        desk.let.release()
    pool.shutdown()
    return asked


def until(true: Callable[[], bool]) -> None:
    """Wait until another thread has made `true` return true."""
    pause = threading.Event()
    for _ in range(int(LONG / 0.01)):
        if true():
            return
        pause.wait(0.01)
    raise AssertionError("it never came true")


def test_those_who_come_during_a_write_are_written_with_the_next_one():
    desk = Desk()

    asked = all_at_once(desk, "a", "b", "c", "d")

    assert [each.result(LONG) for each in asked] == ["A", "B", "C", "D"]
    assert sorted(map(len, desk.batches)) == [1, 3]


def test_one_that_cannot_be_written_harms_no_other():
    desk = Desk()

    first, good, broken, other = all_at_once(desk, "a", "b", "broken", "c")

    assert (first.result(LONG), good.result(LONG), other.result(LONG)) == ("A", "B", "C")
    with pytest.raises(ValueError, match="broken"):
        broken.result(LONG)


def test_what_ails_the_database_is_told_to_all_and_tried_once():
    desk = Desk()

    first, *others = all_at_once(desk, "a", "b", "locked", "c")

    assert first.result(LONG) == "A"
    for each in others:
        with pytest.raises(OperationalError):
            each.result(LONG)
    assert len(desk.batches) == 2


def test_after_a_failure_the_next_one_is_written():
    desk = Desk()
    for _ in range(3):
        desk.let.release()

    with pytest.raises(ValueError, match="broken"):
        desk.batcher("broken")

    assert desk.batcher("later") == "LATER"


HOLD = """
import sys
from pathlib import Path
from newsletter.web.public.signup.write_batches import WriteLock
turn = WriteLock(Path(sys.argv[1]))
with turn():
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("ends", ["let go", "killed"])
def test_the_turn_is_one_process_at_a_time_and_outlives_none(tmp_path: Path, ends: str):
    file = tmp_path / "turn"
    taken = threading.Event()
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdin is not None
    assert other.stdout.readline() == "mine\n"

    def take() -> None:
        with WriteLock(file)():
            taken.set()

    thread = threading.Thread(target=take)
    thread.start()
    early = taken.wait(0.2)
    if ends == "killed":
        other.kill()
    else:
        other.stdin.close()
    thread.join(LONG)
    other.wait(LONG)

    assert not early
    assert taken.is_set()


def test_without_a_place_for_its_file_nobody_waits(tmp_path: Path):
    turn = WriteLock(tmp_path / "nowhere" / "turn")

    with turn():
        written = True

    assert written
