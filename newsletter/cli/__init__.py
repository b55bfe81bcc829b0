"""The command line: one module for each noun, imported when its command is used."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from newsletter import __version__
from newsletter.cli.late_import import late_import
from newsletter.errors import NewsletterError

# What a file or an output that is a file can answer to a write. Other errors without a name are our bugs.
DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


class Place(NamedTuple):
    """The target of a command, and its line in `--help`, which is shown without importing the command."""

    target: str
    line: str


class Failure(click.ClickException):
    """An error with a message for people: printed plainly, exit status 1."""

    def show(self, file: object = None) -> None:
        """Print the message to standard error."""
        click.echo(f"newsletter: {self.format_message()}", err=True)


class LazyGroup(click.Group):
    """A group that imports a command when it is used, so that each starts quickly."""

    def __init__(self, *, places: Mapping[str, Place] | None = None, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._places = places or {}

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self._places)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import and return the command; None if there is none of that name."""
        place = self._places.get(name)
        if place is None:
            return None
        command: click.Command = late_import("newsletter.cli.arguments:only_text")(late_import(place.target))
        return command

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program as `click.Group.main` does, with streams that print anything."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A character that the encoding lacks is written as an escape, so that no command fails
                # because of it.
                stream.reconfigure(errors="backslashreplace")
        return super().main(*args, **kwargs)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.line) for name, place in self._places.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. An error that this program raises on purpose becomes one message and status 1."""
        try:
            return super().invoke(ctx)
        except NewsletterError as fault:
            raise Failure(str(fault)) from fault
        except UnicodeEncodeError as fault:
            raise Failure(
                f"something given is not valid text in the encoding of this locale: {fault}"
            ) from fault
        except OSError as fault:
            if fault.filename is None and fault.errno not in DISK_FAULTS:
                raise
            place = "" if fault.filename is None else f"{fault.filename}: "
            raise Failure(f"{place}{fault.strerror}") from fault
        except Exception as fault:
            # Compared by name, so that a command without a database does not wait for the import of
            # SQLAlchemy.
            if not any(each.__name__ == "DBAPIError" for each in type(fault).__mro__):
                raise
            database_fault = late_import("newsletter.service.database.schema:database_fault")
            raise Failure(str(database_fault(fault))) from fault


COMMANDS: Mapping[str, Place] = {
    "demo": Place("newsletter.cli.demo:demo", "Try it: sample releases, and a mailbox for every email."),
    "run": Place("newsletter.cli.processes.run:run", "Run the whole service: web, workers and beat."),
    "web": Place("newsletter.cli.processes.web:web", "Run the web server alone."),
    "worker": Place(
        "newsletter.cli.processes.worker:worker", "Run the workers alone, or send due emails and end."
    ),
    "beat": Place("newsletter.cli.processes.beat:beat", "Run beat alone."),
    "db": Place("newsletter.cli.db:db", "Make, upgrade, back up, restore or clean up the database."),
    "settings": Place("newsletter.cli.settings:settings", "Describe every setting."),
    "relay": Place("newsletter.cli.relay:relay", "Check that the relay accepts our emails."),
    "dkim": Place("newsletter.cli.dkim:dkim", "Keys that sign our emails."),
    "account": Place("newsletter.cli.account:account", "People who may sign in."),
    "add": Place("newsletter.cli.newsletter:add", "Add a newsletter beside the existing ones."),
    "list": Place("newsletter.cli.newsletter:list_", "List the newsletters."),
    "edit": Place("newsletter.cli.newsletter:edit", "A newsletter's name, sender, look: show, change."),
    "schedule": Place("newsletter.cli.schedule:schedule", "When issues go out: show, set, try, start."),
    "template": Place("newsletter.cli.template:template", "Templates of issues: show, check, save, restore."),
    "topic": Place("newsletter.cli.topic:topic", "Topics that subscribers can choose."),
    "release": Place("newsletter.cli.releases.release:release", "Press releases: add, parse, list, hold."),
    "source": Place("newsletter.cli.source:source", "Sources of releases: add, try, list, poll, pause."),
    "subscriber": Place("newsletter.cli.subscriber:subscriber", "Subscribers: list, show, erase, suppress."),
    "suppression": Place(
        "newsletter.cli.suppression:suppression", "Addresses that get no email: list, import, export."
    ),
    "domain": Place("newsletter.cli.domain:domain", "Rules for domains: refuse, stop, allow."),
    "audit": Place("newsletter.cli.audit:audit", "Who changed what."),
    "consent": Place("newsletter.cli.consent:consent", "Check a signed record of consent."),
    "language": Place(
        "newsletter.cli.language:language", "Languages of pages and emails: list, add, update."
    ),
    "bounce": Place("newsletter.cli.bounces.bounce:bounce", "Incoming mail, and refused addresses."),
    "digest": Place("newsletter.cli.issues.digest:digest", "Issues: preview, send, watch, pause."),
}


@click.group(
    cls=LazyGroup,
    places=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="newsletter")
@click.option(
    "--env-file",
    metavar="FILE",
    default=None,
    help="Settings beside the environment, which wins; .env in this folder if there is one.",
)
@click.pass_context
def main(ctx: click.Context, env_file: str | None) -> None:
    """Run a newsletter: releases come in, and each subscriber gets one digest of their topics."""
    # Our files contain addresses and keys. Child processes inherit this umask.
    os.umask(0o077)
    # `context.invocation` makes an Invocation of it when a command first asks.
    ctx.obj = None if env_file is None else Path(env_file) if env_file else Path()
