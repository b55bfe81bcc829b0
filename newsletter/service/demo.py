"""`newsletter demo`: the whole service with settings, topics, releases and a mailbox of its own."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from dotenv import dotenv_values
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.accounts.create import create_account, find_account
from newsletter.accounts.passwords import hash_password, one_time_password
from newsletter.clock import utcnow
from newsletter.ingest.decode import decode
from newsletter.ingest.parse_press import parse_press
from newsletter.ingest.store import add_release
from newsletter.ingest.topics import add_topic
from newsletter.models import Release, RuleField, Topic
from newsletter.runtime import Runtime
from newsletter.service.catcher import HOST
from newsletter.service.database import upgrade
from newsletter.service.logs import configure_logging
from newsletter.service.supervisor import Program, Supervisor, check_port, only_one
from newsletter.service.whole import Command, answers, plain, service_programs
from newsletter.settings import PREFIX, Settings, load_settings, variable

ADMIN = "admin@localhost"
ACTOR = "demo"
SETTINGS_FILE = "settings.env"


@dataclass(frozen=True)
class SampleTopic:
    """A topic of the demo and the rules that fill it: any of them is enough."""

    slug: str
    name: str
    description: str
    publishers: tuple[str, ...]
    words: tuple[str, ...]


TOPICS = (
    SampleTopic(
        "foreign-affairs",
        "Foreign affairs",
        "Visits, agreements, borders, and help for people abroad.",
        ("Foreign Affairs", "Foreign Office", "Council of the Amber Straits"),
        ("treaty", "embassy", "consulate"),
    ),
    SampleTopic(
        "energy-and-climate",
        "Energy and climate",
        "Cables, wind, heat, and what they do to bills and emissions.",
        ("Northern Grid",),
        ("shore power", "heat pump", "heat pumps", "wind farm", "風力発電"),
    ),
    SampleTopic(
        "transport",
        "Transport",
        "Trains, ferries and harbours: what runs, what stops, what opens.",
        ("Ministry of Transport", "Port of Halmstrand", "Skerry Lines"),
        ("timetable", "night train", "metro"),
    ),
    SampleTopic(
        "science-and-health",
        "Science and health",
        "Findings from institutes, and advice from health agencies.",
        ("Institute", "institutas", "Health Agency"),
        ("vaccination", "clinical trial"),
    ),
)


@dataclass(frozen=True)
class Demo:
    """A demo that is ready to run. `password` is the admin's, None when it was printed before."""

    folder: Path
    settings: Settings
    environ: Mapping[str, str]
    catcher_port: int
    password: str | None


def run_demo(
    folder: Path, port: int, command: Command, say: Callable[[str], None], more: Mapping[str, str]
) -> None:
    """Prepare what is missing in `folder`, run everything until told to stop.

    `more` are settings beside the demo's own, as variables: another database or queue. Raises
    ServiceError when the port or the folder is taken.
    """
    configure_logging()
    with only_one(folder, "Stop it with Ctrl-C in its terminal, or give this one --data and another folder."):
        check_port(HOST, port, "Stop it, or choose another one with --port.")
        demo = prepare_demo(folder, port, free_port(), more)
        catcher = [sys.executable, "-m", "newsletter.service.catcher", str(folder), str(demo.catcher_port)]
        services = service_programs(demo.environ, command, takes_mail=True)
        programs = [Program("mailbox", catcher, demo.environ), *services]
        Supervisor(programs).run(lambda: answers(demo.settings), lambda: say(banner(demo)))
        say("The demo has ended. Its data is kept; the same command goes on with it.")


def prepare_demo(
    folder: Path, port: int, catcher_port: int, more: Mapping[str, str] = MappingProxyType({})
) -> Demo:
    """Write the settings, upgrade the database, and add the topics, releases and account it lacks."""
    folder = folder.absolute()
    values = write_settings(folder, port, catcher_port, more)
    settings = load_settings(values)
    upgrade(settings.database)
    runtime = Runtime(settings)
    with runtime.session() as session:
        add_topics(session)
        session.commit()
        add_samples(session)
        password = add_admin(session)
        session.commit()
    runtime.engine.dispose()
    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return Demo(folder, settings, plain({**others, **values}), catcher_port, password)


def write_settings(
    folder: Path, port: int, catcher_port: int, more: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Write the demo's settings file, for its owner alone; return the settings as variables.

    The keys stay what they were. The other commands use the file by `--env-file`.
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
        # Somebody who tries it joins after the samples came, and would get none of them.
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


def add_topics(session: Session) -> None:
    """Add the topics of the demo unless there are topics. Commits nothing."""
    if session.scalar(select(Topic.id).limit(1)) is not None:
        return
    for sample in TOPICS:
        rules = [(RuleField.PUBLISHER, pattern) for pattern in sample.publishers]
        rules += [(RuleField.WORDS, pattern) for pattern in sample.words]
        add_topic(
            session,
            slug=sample.slug,
            name=sample.name,
            description=sample.description,
            rules=rules,
            now=utcnow(),
        )


def add_samples(session: Session) -> None:
    """Add the sample releases unless there are releases, the oldest first. Commits nothing."""
    if session.scalar(select(Release.id).limit(1)) is not None:
        return
    folder = resources.files("newsletter.service") / "samples"
    texts = {each.name: decode(each.read_bytes(), each.name) for each in folder.iterdir()}
    parsed = [parse_press(text, name) for name, text in sorted(texts.items())]
    for press in sorted(parsed, key=lambda each: (str(each.published), each.title)):
        add_release(session, press, now=utcnow())


def add_admin(session: Session) -> str | None:
    """Add the admin's account; return its one-time password, None when there is one already."""
    if find_account(session, ADMIN) is not None:
        return None
    password = one_time_password()
    create_account(session, ADMIN, hash_password(password), ACTOR, utcnow())
    return password


def banner(demo: Demo) -> str:
    """Return what the newcomer reads once the service answers."""
    url = demo.settings.public_url
    program = _short(Path(sys.executable).with_name("newsletter"))
    call = f"{program} --env-file {_short(demo.folder / SETTINGS_FILE)}"
    if demo.password is None:
        signed = f"the password you have; for a new one: {call} account reset {ADMIN}"
    else:
        signed = f"one-time password  {demo.password}"
    return "\n".join(
        [
            "",
            f"  {demo.settings.site_name} is ready. Nothing leaves this machine.",
            "",
            f"  1. Subscribe       {url}/             any address will do",
            f"  2. Read your mail  {url}/dev/mailbox  and confirm there",
            f"  3. Send the digest {url}/admin        as {ADMIN}",
            f"                     {signed}",
            f"     or by command   {call} digest send",
            "",
            "  Ctrl-C ends everything.",
            "",
        ]
    )


def _short(path: Path) -> str:
    """Return the path as somebody here would type it; a program that is not there is on the PATH."""
    if not path.exists():
        return path.name
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
