"""The process that `servers.programs` starts: it imports the program once and forks for each command.

Run it as `python -m servers.fork_server FD`. Each message on this socket is a command with its three streams,
and the answer is the id of the new process.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import sys
import threading
from typing import Any

from newsletter.service.processes import stop_flag
from servers.processes import die_with_parent

LARGEST_MESSAGE = 200_000


def import_program() -> None:
    """Import every command and what the processes of the service import late."""
    from sqlalchemy.orm import configure_mappers

    from newsletter.cli import COMMANDS

    for place in COMMANDS.values():
        importlib.import_module(place.target.partition(":")[0])
    for late in ("newsletter.cli.processes.wsgi", "newsletter.jobs.worker"):
        importlib.import_module(late)
    configure_mappers()


def serve(channel: socket.socket) -> bool:
    """Fork a process for each command until the tests end. Return True in each new process, else False."""
    while True:
        message, streams, _, _ = socket.recv_fds(channel, LARGEST_MESSAGE, 3)
        if not message:
            return False
        assert threading.active_count() == 1, "a fork beside a thread may inherit its locks"
        pid = fork_for_the_tests()
        if pid == 0:
            channel.close()
            become(json.loads(message), streams)
            return True
        for each in streams:
            os.close(each)
        channel.send(str(pid).encode())


def fork_for_the_tests() -> int:
    """Fork a process whose parent is the process of the tests; return its id, and 0 in the new process.

    A process between the two ends at once. The kernel then gives its child to the tests, which have asked for
    the orphans below them (`adopt_orphans`).
    """
    reader, writer = os.pipe()
    waits, goes = os.pipe()
    between = os.fork()
    if between == 0:
        pid = os.fork()
        if pid:
            os.write(writer, str(pid).encode())
            os._exit(0)
        os.close(goes)
        os.read(waits, 1)  # wait until the process of the tests is its parent
        for each in (reader, writer, waits):
            os.close(each)
        return 0
    pid = int(os.read(reader, 20))
    os.waitpid(between, 0)
    for each in (reader, writer, waits, goes):
        os.close(each)
    return pid


def become(asked: dict[str, Any], streams: list[int]) -> None:
    """Give this process the streams, the environment, the folder and the arguments of the command."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    die_with_parent(signal.SIGTERM, parent=os.getppid())()
    stop_flag.begin()
    os.environ.clear()
    os.environ.update(asked["environ"])
    os.chdir(asked["folder"])
    if asked["umask"] >= 0:
        os.umask(asked["umask"])
    sys.argv[1:] = asked["words"]
    # New streams, because the server's have stored whether their own files can seek.
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            open(number, mode, closefd=False),  # noqa: SIM115 (open until the process ends)
            encoding=old.encoding,
            errors=old.errors,
            line_buffering=number == 2,
            write_through=number == 1 and bool(os.environ.get("PYTHONUNBUFFERED")),
        )
        for number, mode, old in ((0, "rb", sys.stdin), (1, "wb", sys.stdout), (2, "wb", sys.stderr))
    )


def main() -> None:
    """Serve; in each new process, run the program as `python -m newsletter` does."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    import_program()
    gc.collect()
    gc.freeze()
    if serve(channel):
        runpy.run_module("newsletter", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
