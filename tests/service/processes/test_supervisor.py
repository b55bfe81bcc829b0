"""The supervisor keeps its children running, and ends them when it ends."""

from __future__ import annotations

import os
import signal
import socket
import threading

import pytest

from newsletter.errors import ServiceError
from newsletter.service.processes.supervisor import check_port, make_folder, only_one, pause_before_restart

SCRIPT = """
import sys
from functools import partial
from newsletter.service.logs import configure_logging
from newsletter.service.processes.supervisor import Program, Supervisor
configure_logging()
programs = [Program(f"child{n}", partial(exec, code, {}), {}) for n, code in enumerate(sys.argv[2:])]
Supervisor(programs, grace_seconds=float(sys.argv[1])).run(
    is_ready=lambda: True, when_ready=lambda: print("ready", flush=True)
)
"""
SLEEP = "import time; print('I sleep', flush=True); time.sleep(1000)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('I stay', flush=True); time.sleep(1000)"
)


def lines_until(process, wanted):
    """Return the lines that `process` writes, up to the first that contains `wanted`."""
    lines = []
    hurry = threading.Timer(20, process.kill)
    hurry.start()
    try:
        for line in process.stdout:
            lines.append(line)
            if wanted in line:
                return lines
    finally:
        hurry.cancel()
    raise AssertionError(f"never said {wanted!r}, only {lines}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_being_told_to_stop_ends_every_child_and_is_no_failure(start, descendants, alive, number):
    supervisor = start("-c", SCRIPT, "20", SLEEP, SLEEP)
    lines_until(supervisor, "child0  | I sleep")
    children = descendants(supervisor.pid)

    supervisor.send_signal(number)

    assert supervisor.wait(timeout=15) == 0
    assert len(children) == 2
    assert not any(alive(child) for child in children)


def test_a_killed_child_is_started_again_and_the_others_are_left_alone(start, descendants, eventually):
    supervisor = start("-c", SCRIPT, "20", SLEEP, SLEEP)
    before = eventually(lambda: (found := descendants(supervisor.pid)) and len(found) == 2 and found)
    killed, spared = sorted(before)

    os.kill(killed, signal.SIGKILL)

    after = eventually(lambda: len(found := set(descendants(supervisor.pid)) - {killed}) == 2 and found)
    assert spared in after


def test_a_supervisor_killed_outright_leaves_no_child_behind(start, descendants, alive, eventually):
    supervisor = start("-c", SCRIPT, "20", SLEEP, SLEEP)
    children = eventually(lambda: (found := descendants(supervisor.pid)) and len(found) == 2 and found)

    supervisor.kill()
    supervisor.wait()

    assert eventually(lambda: not any(alive(child) for child in children))


def test_a_child_that_will_not_go_is_killed_when_its_grace_is_over(start, descendants, alive):
    supervisor = start("-c", SCRIPT, "0.3", STUBBORN)
    lines_until(supervisor, "I stay")
    children = descendants(supervisor.pid)

    supervisor.terminate()

    assert supervisor.wait(timeout=15) == 0
    assert not any(alive(child) for child in children)


def test_a_second_ctrl_c_does_not_wait(start):
    supervisor = start("-c", SCRIPT, "1000", STUBBORN, SLEEP)
    lines_until(supervisor, "I stay")

    supervisor.send_signal(signal.SIGINT)
    lines_until(supervisor, "event=stopping")
    supervisor.send_signal(signal.SIGINT)

    assert supervisor.wait(timeout=15) == 0


def test_ctrl_c_in_the_terminal_reaches_the_supervisor_alone(start, descendants):
    supervisor = start("-c", SCRIPT, "20", SLEEP)
    lines_until(supervisor, "I sleep")
    (child,) = descendants(supervisor.pid)

    assert os.getpgid(child) != os.getpgid(supervisor.pid)


def test_every_line_begins_with_the_name_of_its_process_even_the_last_half_one(start):
    half = "import sys; print('whole'); sys.stdout.write('half'); sys.stdout.flush()"
    supervisor = start("-c", SCRIPT, "20", half)

    lines = lines_until(supervisor, "half")

    assert [line for line in lines if line.startswith("child0")] == ["child0  | whole\n", "child0  | half\n"]


def test_it_says_once_that_everything_is_ready(start):
    supervisor = start("-c", SCRIPT, "20", SLEEP)

    before = lines_until(supervisor, "ready")
    supervisor.terminate()

    assert before.count("ready\n") == 1
    assert "ready" not in supervisor.stdout.read()


def test_pauses_before_a_restart_grow_up_to_half_a_minute():
    assert [pause_before_restart(ends) for ends in (1, 2, 3, 7, 50)] == [0.5, 1.0, 2.0, 30.0, 30.0]


def test_a_taken_port_is_named_with_what_to_do():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(ServiceError, match=f"Another program uses port {port} .*Choose another"):
            check_port("127.0.0.1", port, "Choose another.", patience_seconds=0)

    check_port("127.0.0.1", port, "Choose another.")


def test_an_address_that_is_not_this_machines_is_named():
    with pytest.raises(ServiceError, match=r"This host cannot listen on 192\.0\.2\.1:8000"):
        check_port("192.0.2.1", 8000, "Choose another.")


def test_a_data_folder_serves_one_service_at_a_time(tmp_path):
    folder = tmp_path / "data"

    refused = pytest.raises(ServiceError, match=f"process {os.getpid()}.*Stop it")
    with only_one(folder, "Stop it."), refused, only_one(folder, "Stop it."):
        pass

    with only_one(folder, "Stop it."):
        assert folder.stat().st_mode & 0o077 == 0


def test_a_lock_is_free_again_when_its_holder_was_killed(tmp_path, start):
    holder = start(
        "-c",
        "import sys, time\n"
        "from pathlib import Path\n"
        "from newsletter.service.processes.supervisor import only_one\n"
        "with only_one(Path(sys.argv[1]), ''):\n"
        "    print('held', flush=True); time.sleep(1000)\n",
        str(tmp_path),
    )
    lines_until(holder, "held")
    holder.kill()
    holder.wait()

    with only_one(tmp_path, "Stop it."):
        assert (tmp_path / "run.lock").read_text() == f"{os.getpid()}\n"


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ServiceError, match=r"data folder .*file/data cannot be used"):
        make_folder(tmp_path / "file" / "data")


def test_a_program_that_runs_once_is_not_started_again(start):
    script = SCRIPT.replace("{}), {})", '{}), {}, once=code.startswith("print"))')

    supervisor = start("-c", script, "5", "print('I ran once')", "import sys; sys.exit('I end')")
    lines = lines_until(supervisor, "child1  | I end")
    while sum("child1  | I end" in line for line in lines) < 3:
        lines += lines_until(supervisor, "child1  | I end")
    supervisor.send_signal(signal.SIGTERM)

    assert supervisor.wait(timeout=15) == 0
    assert sum("I ran once" in line for line in lines) == 1
