"""The programs that make up the service, and the checks before they start."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Callable, Mapping

import click
from sqlalchemy import select
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from newsletter.clock import utcnow
from newsletter.models import AdminUser, Lane, Topic, open_engine
from newsletter.runtime import Runtime
from newsletter.service.database.first_newsletter import fill_first_newsletter, require_sender
from newsletter.service.database.schema import await_database, require_reachable, upgrade
from newsletter.service.logs import configure_logging
from newsletter.service.processes.supervisor import Program, Supervisor, check_port, make_folder, only_one
from newsletter.settings import Settings, variable

log = logging.getLogger(__name__)

# Returns a function that runs this program with the words that follow `newsletter`.
Runner = Callable[..., Callable[[], object]]


def worker_programs(environ: Mapping[str, str], runner: Runner) -> list[Program]:
    """Return one worker for each lane, so that no confirmation waits behind a digest."""
    return [Program(lane.value, runner("worker", "--lane", lane.value), environ) for lane in Lane]


def service_programs(
    environ: Mapping[str, str], runner: Runner, *, takes_mail: bool = False, reads_mailboxes: bool = False
) -> list[Program]:
    """Return every program of the service.

    `takes_mail` adds the server for incoming mail, and `reads_mailboxes` what reads mailboxes.
    """
    intake = [Program("intake", runner("bounce", "serve"), environ)] if takes_mail else []
    mailbox = [Program("mailbox", runner("bounce", "fetch", "--watch"), environ)] if reads_mailboxes else []
    return [
        Program("web", runner("web"), environ),
        *worker_programs(environ, runner),
        Program("beat", runner("beat"), environ),
        *intake,
        *mailbox,
    ]


def run_service(
    settings: Settings, environ: Mapping[str, str], runner: Runner, program: str = "newsletter"
) -> None:
    """Upgrade the database and run every program until told to stop.

    `program` is the name of this command, for the first steps that are printed. Raises ServiceError if the
    port or the data folder is in use, or the database cannot be reached.
    """
    configure_logging()
    with only_one(settings.data_dir, f"Stop it first, or set another folder with {variable('data_dir')}."):
        host, port = settings.bind
        check_port(host, port, f"Stop it, or choose another place with {variable('bind')}.")
        for each in settings.intake_listen:
            check_port(
                each.host, each.port, f"Stop it, or choose another place with {variable('intake_listen')}."
            )
        await_database(settings.database, require_reachable)
        upgrade(settings.database)
        for warning in fill_first_newsletter(settings, utcnow()):
            log.warning("event=former_setting warning=%s", warning)
        report_missing_keys(settings)
        programs = service_programs(
            plain(environ),
            runner,
            takes_mail=bool(settings.intake_listen),
            reads_mailboxes=bool(settings.mailboxes),
        )
        # The relay check runs beside the others, so a slow or unreachable relay does not delay the start.
        programs.append(Program("relay", runner("relay", "check"), plain(environ), once=True))
        lines = [f"The service is ready at {settings.public_url}/", *first_steps(settings.database, program)]
        Supervisor(programs).run(lambda: web_responds(settings), lambda: click.echo("\n".join(lines)))


def first_steps(database: str | URL, program: str) -> list[str]:
    """Return one line for each step without which the service cannot be used; none if all are done."""
    engine = open_engine(database)
    with Session(engine.execution_options(sqlite_begin="DEFERRED")) as session:
        nobody = session.scalar(select(AdminUser.id).limit(1)) is None
        nothing = session.scalar(select(Topic.id).limit(1)) is None
    engine.dispose()
    steps = []
    if nobody:
        steps.append(f"Nobody can sign in yet: {program} account add you@example.org")
    if nothing:
        steps.append(
            f'There is nothing to subscribe to yet: {program} topic add energy "Energy" --words energy'
        )
    return steps


def run_workers(settings: Settings, environ: Mapping[str, str], runner: Runner) -> None:
    """Run the workers until told to stop. Raises ServiceError if the database cannot be reached."""
    configure_logging()
    await_database(settings.database)
    require_sender(settings)
    report_missing_keys(settings)
    make_folder(settings.data_dir)
    Supervisor(worker_programs(plain(environ), runner)).run()


def report_missing_keys(settings: Settings) -> None:
    """Log a warning for each newsletter whose From domain has no DKIM key. It needs an upgraded database."""
    runtime = Runtime(settings)
    for sender in runtime.senders():
        if sender.missing_key is not None:
            log.warning("event=no_dkim_key warning=%s", sender.missing_key)
    runtime.engine.dispose()


def plain(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child process, with unbuffered output."""
    return {**environ, "PYTHONUNBUFFERED": "1"}


def web_responds(settings: Settings) -> bool:
    """Return whether the web server and its database answer."""
    host, port = settings.bind
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (read, not bound)
    connection = http.client.HTTPConnection(reachable, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
