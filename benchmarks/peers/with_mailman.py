"""Mailman core: fill a SQLite database with a list, members and a post (VERP); then run the out runner.

Runs in its own virtual environment: `setup` or `send`, FOLDER, PORT, SUBSCRIBERS, MESSAGE (see __init__.py).
`setup` passes the post through the queues `in` and `pipeline`, so `send` is the out runner alone.
"""

# ruff: noqa: PLC0415, S603, S606 (Mailman can be imported once it is set up; the commands are ours)

from __future__ import annotations

import os
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path

DOMAIN = "lists.example.org"
LIST = f"letter@{DOMAIN}"
KEPT = ("subject", "date", "mime-version", "content-type")
PROGRAMS = Path(sys.executable).parent


def write_configuration(folder: Path, port: int) -> Path:
    """Write the configuration, and return its file."""
    sections = {
        "mailman": {"layout": "here", "site_owner": f"owner@{DOMAIN}"},
        "paths.here": {"var_dir": folder / "var", "bin_dir": PROGRAMS},
        "mta": {
            "incoming": "mailman.mta.null.NullMTA",
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "verp_personalized_deliveries": "yes",
        },
        "archiver.prototype": {"enable": "no"},
    }
    lines = []
    for name, values in sections.items():
        lines += [f"[{name}]", *(f"{key}: {value}" for key, value in values.items())]
    path = folder / "mailman.cfg"
    path.write_text("\n".join(lines) + "\n")
    return path


def fill(configuration: Path, readers: int) -> None:
    """Make the list and subscribe its members. The first member sends the post."""
    from mailman.core.initialize import initialize

    initialize(str(configuration))

    from mailman.app.lifecycle import create_list
    from mailman.config import config
    from mailman.interfaces.action import Action
    from mailman.interfaces.domain import IDomainManager
    from mailman.interfaces.mailinglist import Personalization
    from mailman.interfaces.usermanager import IUserManager
    from mailman.utilities.datetime import now
    from zope.component import getUtility

    getUtility(IDomainManager).add(DOMAIN)
    letter = create_list(LIST, [f"owner@{DOMAIN}"])
    letter.personalize = Personalization.full
    letter.max_message_size = 0
    letter.send_welcome_message = False
    letter.default_member_action = letter.default_nonmember_action = Action.accept
    users = getUtility(IUserManager)
    for number in range(1, readers + 1):
        user = users.create_user(f"reader{number:07}@example.com", f"Reader {number}")
        (address,) = user.addresses
        address.verified_on = now()
        letter.subscribe(address)
    config.db.commit()


def post(configuration: Path, message_file: Path) -> None:
    """Post the message to the list, and move it into the queue of outgoing messages."""
    message = message_from_bytes(message_file.read_bytes(), policy=policy.SMTP)
    for name in set(message.keys()):
        if name.lower() not in KEPT:
            del message[name]
    message["From"], message["To"], message["Message-ID"] = (
        "reader0000001@example.com",
        LIST,
        "<1@example.com>",
    )
    file = configuration.with_name("post.eml")
    file.write_bytes(message.as_bytes(policy=policy.default))
    inject = [
        PROGRAMS / "mailman",
        "-C",
        configuration,
        "--run-as-root",
        "inject",
        "-f",
        file,
        f"letter.{DOMAIN}",
    ]
    subprocess.run(inject, check=True)
    for queue in ("in", "pipeline"):
        subprocess.run(runner(configuration, queue), check=True)


def runner(configuration: Path, queue: str) -> list[str]:
    """Return the command of Mailman that empties a queue once."""
    return [str(PROGRAMS / "runner"), "-C", str(configuration), "--once", "-r", queue]


def main() -> None:
    """Run one step."""
    step, folder, port, readers, message_file = sys.argv[1:]
    configuration = Path(folder) / "mailman.cfg"
    if step == "setup":
        write_configuration(Path(folder), int(port))
        fill_in_child = [sys.executable, __file__, "fill", *sys.argv[2:]]
        # A child process, because Mailman's own programs need the locks that it holds.
        subprocess.run(fill_in_child, check=True)
        post(configuration, Path(message_file))
    elif step == "fill":
        fill(configuration, int(readers))
    else:
        command = runner(configuration, "out")
        os.execv(command[0], command)


if __name__ == "__main__":
    main()
