"""`newsletter demo`: run the whole service with sample data and a mailbox page."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from dotenv import dotenv_values

from newsletter.clock import utcnow
from newsletter.demo.catcher import HOST, run_catcher
from newsletter.demo.data import ADMIN, add_admin, add_samples, add_schedule, add_topics
from newsletter.runtime import Runtime
from newsletter.service.database.first_newsletter import fill_first_newsletter
from newsletter.service.database.schema import upgrade
from newsletter.service.logs import configure_logging
from newsletter.service.processes.programs import Runner, plain, service_programs, web_responds
from newsletter.service.processes.supervisor import Program, Supervisor, check_port, only_one
from newsletter.settings import PREFIX, Settings, load_settings, variable

SETTINGS_FILE = "settings.env"


@dataclass(frozen=True)
class Demo:
    """A demo that is ready to run. `password` is the administrator's, None if it was printed before."""

    folder: Path
    settings: Settings
    environ: Mapping[str, str]
    catcher_port: int
    password: str | None


def run_demo(
    folder: Path, port: int, runner: Runner, say: Callable[[str], None], more: Mapping[str, str]
) -> None:
    """Prepare what is missing in `folder`, then run everything until told to stop.

    `more` are additional settings, as environment variables: another database or queue. Raises ServiceError
    if the port or the folder is in use.
    """
    configure_logging()
    with only_one(folder, "Stop it with Ctrl-C in its terminal, or use another folder with --data."):
        check_port(HOST, port, "Stop it, or choose another one with --port.")
        demo = prepare_demo(folder, port, free_port(), more)
        catcher = partial(run_catcher, folder.absolute(), demo.catcher_port)
        services = service_programs(demo.environ, runner, takes_mail=True)
        programs = [Program("mailbox", catcher, demo.environ), *services]
        Supervisor(programs).run(lambda: web_responds(demo.settings), lambda: say(banner(demo)))
        say("The demo has ended. Its data is kept, and the same command continues with it.")


def prepare_demo(
    folder: Path, port: int, catcher_port: int, more: Mapping[str, str] = MappingProxyType({})
) -> Demo:
    """Write the settings, upgrade the database, and add the topics, releases and account that are missing."""
    folder = folder.absolute()
    values = write_settings(folder, port, catcher_port, more)
    settings = load_settings(values)
    upgrade(settings.database)
    fill_first_newsletter(settings, utcnow())
    runtime = Runtime(settings)
    with runtime.session() as session:
        add_topics(session)
        session.commit()
        add_samples(session)
        add_schedule(session, utcnow())
        password = add_admin(session)
        session.commit()
    runtime.engine.dispose()
    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return Demo(folder, settings, plain({**others, **values}), catcher_port, password)


def write_settings(
    folder: Path, port: int, catcher_port: int, more: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Write the demo's settings file, for its owner only; return the settings as environment variables.

    Existing keys are kept. Other commands read the file by `--env-file`.
    """
    path = folder / SETTINGS_FILE
    keys_variable = variable("secret_keys")
    kept = dotenv_values(path).get(keys_variable) if path.is_file() else None
    values = {
        keys_variable: kept or secrets.token_urlsafe(48),
        variable("public_url"): f"http://{HOST}:{port}",
        variable("bind"): f"{HOST}:{port}",
        variable("relay"): f"smtp://{HOST}:{catcher_port}",
        variable("from_address"): "letter@demo.example",
        variable("unsubscribe_address"): "leave@demo.example",
        variable("intake_listen"): f"smtp://{HOST}:{free_port()}",
        variable("postal_address"): "The Release Letter, Harbour Road 1, Halmstrand",
        variable("data_dir"): str(folder),
        # The samples are older than any sign-up to the demo, so a new subscriber would get none of them.
        variable("welcome_releases"): "3",
        variable("demo"): "yes",
        **more,
    }
    quoted = (f"{name}='{_escape(value)}'\n" for name, value in values.items())
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(
        os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.writelines(["# Written by `newsletter demo` at each start.\n", *quoted])
    fresh.rename(path)
    return values


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def banner(demo: Demo) -> str:
    """Return the text that is printed once the service answers: addresses, password and next steps."""
    url = demo.settings.public_url
    program = _short(Path(sys.executable).with_name("newsletter"))
    call = f"{program} --env-file {_short(demo.folder / SETTINGS_FILE)}"
    if demo.password is None:
        signed = f"your existing password; for a new one: {call} account reset {ADMIN}"
    else:
        signed = f"one-time password  {demo.password}"
    return "\n".join(
        [
            "",
            f"  {demo.settings.site_name} is ready. No email leaves this machine.",
            "",
            f"  1. Subscribe       {url}/             with any address",
            f"  2. Read the email  {url}/dev/mailbox  and confirm there",
            "                     If you chose “as it happens”, a digest comes by itself a minute later",
            f"  3. Send the digest {url}/admin        as {ADMIN}",
            f"                     {signed}",
            f"     or by command   {call} digest send",
            "",
            "  Ctrl-C stops everything.",
            "",
        ]
    )


def _short(path: Path) -> str:
    """Return the path as a person would type it here. A program that is not there is on the PATH."""
    if not path.exists():
        return path.name
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def free_port() -> int:
    """Return a port that no program listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
