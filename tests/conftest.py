"""Setup of every test: the real servers of tests/servers/, and no connection to other machines."""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
import tempfile
from pathlib import Path

from hypothesis import settings

pytest_plugins = ["servers.fixtures", "servers.running", "house", "speed", "spread"]

# The settings of the person who runs the tests are not used.
for _name in [name for name in os.environ if name.startswith("NEWSLETTER_")]:
    del os.environ[_name]

# Python keeps what it compiles, for the many processes that the tests start and for the next run.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What the tests write stays in memory if there is room, so that no commit waits for a disk.
_MEMORY, _ROOM_BYTES = Path("/dev/shm"), 2 << 30
if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES:
    os.environ["TMPDIR"] = str(_MEMORY)
    # pytest's capturing has asked for the folder before, and Python remembers the answer.
    tempfile.tempdir = None

# The same examples in each run, so that a failure can be repeated by everyone.
settings.register_profile("house", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("house")


def _refuse_to_leave(event: str, args: tuple[object, ...]) -> None:
    """Make every attempt to connect to another machine fail."""
    if event != "socket.connect":
        return
    address = args[1]
    if not isinstance(address, tuple):  # a UNIX socket's path
        return
    host = str(address[0]).partition("%")[0]
    if host == "localhost" or ipaddress.ip_address(host).is_loopback:
        return
    raise AssertionError(f"a test tried to connect to {address}")


sys.addaudithook(_refuse_to_leave)
