"""`newsletter demo`: try everything on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from newsletter.cli.context import print_json, whole_command
from newsletter.cli.late_import import late_import
from newsletter.demo.check import check_journey
from newsletter.demo.run import run_demo


@click.command()
@click.option(
    "--data", "folder", type=click.Path(path_type=Path), default=Path("demo-data"), show_default=True
)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--check", is_flag=True, help="Run the self-check in a temporary folder; print one JSON line.")
@click.option("--database", metavar="URL", help="A PostgreSQL database instead of SQLite; empty, of its own.")
@click.option("--broker", metavar="URL", help="Redis or RabbitMQ instead of a folder.")
@click.pass_context
def demo(
    ctx: click.Context, folder: Path, port: int, check: bool, database: str | None, broker: str | None
) -> None:
    """Run the whole service with sample releases, and a mailbox page that shows every email.

    Its data stays in a folder, and a second call continues with it. Settings in the environment or a .env
    file are not used.
    """
    if check:
        options = [("--database", database), ("--broker", broker)]
        result = check_journey(whole_command, [each for pair in options if pair[1] for each in pair if each])
        print_json(result.as_json())
        ctx.exit(0 if result.ok else 1)

    more = {"NEWSLETTER_DATABASE_URL": database, "NEWSLETTER_BROKER_URL": broker}
    runner = late_import("newsletter.cli.processes.imported:runner")
    run_demo(folder, port, runner, click.echo, {name: url for name, url in more.items() if url})
