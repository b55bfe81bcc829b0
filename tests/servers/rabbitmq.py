"""A temporary RabbitMQ from the system's own server, for tests selected by `-m rabbitmq`."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

from servers.processes import (
    LOOPBACK,
    ServerFailed,
    free_port,
    running_on_a_free_port,
    short_folder,
    unprivileged_user,
)

_STARTERS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/local/lib/rabbitmq/bin/rabbitmq-server")


@contextlib.contextmanager
def run_rabbitmq() -> Iterator[str]:
    """Run a new, empty server until the block ends; yield its AMQP URL."""
    starter = next((each for each in _STARTERS if Path(each).exists()), None)
    if starter is None:
        raise ServerFailed("RabbitMQ is not installed (on Debian: apt install rabbitmq-server)")
    folder = short_folder("nl-rabbit-")
    user = unprivileged_user()
    if user is not None:
        shutil.chown(folder, user)
    folder.chmod(0o755)
    distribution, mapper = free_port(), str(free_port())
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"nl{uuid.uuid4().hex[:8]}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        # Its own port mapper, which ends with it.
        "ERL_EPMD_ADDRESS": LOOPBACK,
        "ERL_EPMD_PORT": mapper,
    }
    try:
        with running_on_a_free_port(
            lambda port: ["/usr/bin/env", f"RABBITMQ_NODE_PORT={port}", starter],
            answers=_is_listening,
            folder=folder,
            env=environ,
            user=user,
        ) as port:
            yield f"amqp://guest:guest@{LOOPBACK}:{port}//"
    finally:
        subprocess.run(["epmd", "-port", mapper, "-kill"], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _is_listening(port: int) -> bool:
    """Return whether the server answers: it rejects this header by sending the one it supports."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=5) as connection:
            connection.sendall(b"AMQP\x00\x09\x09\x09")
            return connection.recv(8).startswith(b"AMQP")
    except OSError:
        return False
