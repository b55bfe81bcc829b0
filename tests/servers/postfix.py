"""A temporary Postfix from the system's own, for tests selected by `-m servers`. It needs root."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from servers.processes import LOOPBACK, ServerFailed, free_port, running, short_folder

_MASTER = Path("/usr/lib/postfix/sbin/master")
# `harbour.example` has no mailbox at all, so each email to it comes back to its return path. Every other
# domain is passed on to `home`.
_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = {host}
inet_protocols = ipv4
myhostname = mx.harbour.example
mydestination =
mynetworks = 127.0.0.0/8
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
virtual_mailbox_domains = harbour.example
virtual_mailbox_base = {folder}
virtual_mailbox_maps = inline:{{ nobody@elsewhere.example=x }}
smtpd_reject_unlisted_recipient = no
smtpd_relay_restrictions = permit_mynetworks, reject
transport_maps = inline:{{ harbour.example=virtual: }}
default_transport = {home}
relay_transport = {home}
smtp_tls_security_level = none
smtpd_tls_security_level = none
alias_maps =
alias_database =
"""
_SERVICES = """
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@contextlib.contextmanager
def run_postfix(home: str) -> Iterator[int]:
    """Run a new server until the block ends; yield its SMTP port.

    It has no mailbox at harbour.example, and passes all other email on to `home`, such as
    lmtp:inet:127.0.0.1:8024. Raises ServerFailed, with the command to install it.
    """
    if not _MASTER.exists():
        raise ServerFailed(
            f"Postfix is not installed: there is no {_MASTER} (on Debian: apt install postfix)"
        )
    if os.geteuid() != 0:
        raise ServerFailed("Postfix runs as root only. Run these tests as root, in a container for example.")
    folder, port = short_folder("nl-postfix-"), free_port()
    folder.chmod(0o755)
    config = folder / "config"
    for each in (config, folder / "queue", folder / "data"):
        each.mkdir(mode=0o755)
    shutil.chown(folder / "data", "postfix")
    (config / "main.cf").write_text(_MAIN.format(folder=folder, host=LOOPBACK, home=home))
    (config / "master.cf").write_text(_SERVICES.format(port=port).lstrip())
    try:
        checked = subprocess.run(
            ["postfix", "-c", config, "check"], capture_output=True, text=True, check=False
        )
        if checked.returncode:
            raise ServerFailed(f"postfix check: {checked.stderr}")
        with running([_MASTER, "-c", config, "-d"], folder=folder, ready=lambda: _greets(port)):
            yield port
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _greets(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=5) as connection:
            return connection.recv(64).startswith(b"220")
    except OSError:
        return False
