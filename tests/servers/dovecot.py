"""A temporary Dovecot from the system's own, for tests selected by `-m servers`."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from servers.processes import (
    LOOPBACK,
    ServerFailed,
    free_port,
    give_to,
    running,
    short_folder,
    unprivileged_user,
)

PASSWORD = "right-password"
_PARTS = (Path("/usr/sbin/dovecot"), Path("/usr/lib/dovecot/imap"), Path("/usr/lib/dovecot/pop3"))
_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = /dev/stderr
protocols = imap pop3
listen = {host}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 0
mail_location = maildir:{folder}/mail/%n
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
ssl = yes
ssl_cert = <{folder}/cert.pem
ssl_key = <{folder}/cert.pem
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
  }}
}}
service stats {{
  chroot =
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%n
}}
"""
_OAUTH2 = """
introspection_mode = get
introspection_url = http://{host}:{port}/?token=
username_attribute = username
active_attribute = active
active_value = true
"""


@dataclass(frozen=True)
class Dovecot:
    """A running server: its ports, and a way to put messages into mailboxes."""

    folder: Path
    imap: int
    imaps: int
    pop3: int
    pop3s: int
    user: str | None

    def inbox(self, name: str) -> Path:
        """Return the Maildir of a user's inbox, made if it is missing."""
        folder = self.folder / "mail" / name
        if not folder.exists():
            made = [folder, *(folder / each for each in ("new", "cur", "tmp"))]
            for each in made:
                each.mkdir(mode=0o700)
            give_to(self.user, made)
        return folder

    def put(self, name: str, message: bytes) -> None:
        """Deliver a message."""
        inbox, file = self.inbox(name), uuid.uuid4().hex
        (inbox / "tmp" / file).write_bytes(message)
        give_to(self.user, [inbox / "tmp" / file])
        (inbox / "tmp" / file).rename(inbox / "new" / file)

    def flags(self, name: str) -> list[str]:
        """Return the flags of each message that is left, as in its file name, sorted."""
        files = [path for sub in ("new", "cur") for path in (self.inbox(name) / sub).iterdir()]
        return sorted(path.name.partition(":2,")[2] for path in files)


@contextlib.contextmanager
def run_dovecot(
    certificate: bytes, introspection_port: int, mechanisms: str = "plain login oauthbearer xoauth2"
) -> Iterator[Dovecot]:
    """Run a new server until the block ends. Raises ServerFailed, with the command to install it."""
    missing = [str(each) for each in _PARTS if not each.exists()]
    if missing:
        remedy = "on Debian: apt install dovecot-imapd dovecot-pop3d"
        raise ServerFailed(f"Dovecot is not installed: there is no {missing[0]} ({remedy})")
    folder, user = short_folder("nl-dovecot-"), unprivileged_user()
    account = pwd.getpwnam(user) if user else pwd.getpwuid(os.getuid())
    ports = {name: free_port() for name in ("imap", "imaps", "pop3", "pop3s")}
    for name in ("run", "state", "mail"):
        (folder / name).mkdir(mode=0o755)
    (folder / "cert.pem").write_bytes(certificate)
    (folder / "oauth2.conf").write_text(_OAUTH2.format(host=LOOPBACK, port=introspection_port))
    group = grp.getgrgid(account.pw_gid).gr_name
    config = _CONFIG.format(
        folder=folder, host=LOOPBACK, user=account.pw_name, group=group, uid=account.pw_uid,
        gid=account.pw_gid, password=PASSWORD, mechanisms=mechanisms, **ports,
    )  # fmt: skip
    (folder / "dovecot.conf").write_text(config)
    give_to(user, [folder, *folder.iterdir()])
    folder.chmod(0o755)
    try:
        with running(
            ["/usr/sbin/dovecot", "-F", "-c", folder / "dovecot.conf"],
            folder=folder,
            ready=lambda: all(map(_is_listening, ports.values())),
            user=user,
        ):
            yield Dovecot(folder, **ports, user=user)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_listening(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=5):
            return True
    except OSError:
        return False
