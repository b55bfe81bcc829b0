"""`newsletter topic`: what readers can choose, and what fills it."""

from __future__ import annotations

import click

from newsletter.cli.context import open_runtime, print_json


@click.group()
def topic() -> None:
    """What readers can choose."""


@topic.command()
@click.argument("slug")
@click.argument("name")
@click.option("--description", default="", help="A sentence for the sign-up page.")
@click.option("--words", multiple=True, help="Releases that hold these words fall under it.")
@click.option("--publisher", multiple=True, help="Releases of publishers named like this fall under it.")
@click.option("--all", "match_all", is_flag=True, help="All rules must hold; without it, one is enough.")
def add(
    slug: str,
    name: str,
    description: str,
    words: tuple[str, ...],
    publisher: tuple[str, ...],
    match_all: bool,
) -> None:
    """Add a topic. SLUG is its short name in addresses, NAME is what people read."""
    from newsletter.ingest.topics import add_topic  # noqa: PLC0415 (keeps --help quick)
    from newsletter.models import RuleField, RuleMatch  # noqa: PLC0415

    rules = [(RuleField.WORDS, each) for each in words]
    rules += [(RuleField.PUBLISHER, each) for each in publisher]
    parts = open_runtime()
    with parts.session() as session:
        add_topic(
            session,
            slug=slug,
            name=name,
            description=description,
            match=RuleMatch.ALL if match_all else RuleMatch.ANY,
            rules=rules,
            now=parts.now(),
        )
        session.commit()
    click.echo(f"{slug}  {name}")


@topic.command()
@click.argument("slug")
@click.option("--words", multiple=True, help="Releases that hold these words fall under it.")
@click.option("--publisher", multiple=True, help="Releases of publishers named like this fall under it.")
@click.option("--clear", is_flag=True, help="Take the present rules away first.")
def rule(slug: str, words: tuple[str, ...], publisher: tuple[str, ...], clear: bool) -> None:
    """Add rules to a topic; they sort the releases that come from now on."""
    from newsletter.ingest.topics import change_rules  # noqa: PLC0415
    from newsletter.models import RuleField  # noqa: PLC0415

    rules = [(RuleField.WORDS, each) for each in words]
    rules += [(RuleField.PUBLISHER, each) for each in publisher]
    with open_runtime().session() as session:
        change_rules(session, slug, rules, clear=clear)
        session.commit()


@topic.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def list_(as_json: bool) -> None:
    """List the topics in the order of the sign-up page."""
    from newsletter.ingest.topics import list_topics  # noqa: PLC0415

    with open_runtime().reading() as session:
        for each in list_topics(session):
            rules = [f"{found.field}:{found.pattern}" for found in each.rules]
            if as_json:
                print_json({"slug": each.slug, "name": each.name, "match": each.rule_match, "rules": rules})
            else:
                click.echo(
                    f"{each.slug}  {each.name}  ({each.rule_match} of: {', '.join(rules) or 'no rules'})"
                )
