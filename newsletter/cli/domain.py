"""`newsletter domain`: rules for domains and patterns: never accepted, never emailed, or allowed."""

from __future__ import annotations

import click

from newsletter.address_rules.pattern import parse_pattern
from newsletter.address_rules.rules import add_rule, count_subscribers, list_rules, pattern_of
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.models import RuleKind
from newsletter.subscribers.suppressions.end_rule import end_rule

ACTOR = "command line"
KINDS = {
    "never-accepted": RuleKind.NEVER_ACCEPTED,
    "never-mailed": RuleKind.NEVER_MAILED,
    "allowed": RuleKind.ALLOWED,
}


@click.group()
def domain() -> None:
    """Rules for domains: refuse sign-ups, stop emails, or allow."""


@domain.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def list_(as_json: bool) -> None:
    """List the rules, ordered by domain."""
    words = {kind: name for name, kind in KINDS.items()}
    with open_runtime().reading() as session:
        for each in list_rules(session):
            pattern = str(pattern_of(each))
            if as_json:
                since = each.since.isoformat()
                print_json({"pattern": pattern, "rule": words[each.kind], "since": since, "note": each.note})
            else:
                click.echo(f"{words[each.kind]:14}  {pattern}{f'  ({each.note})' if each.note else ''}")


@domain.command()
@click.argument("pattern")
@click.argument("rule", type=click.Choice(list(KINDS)))
@click.option("--note", default="", help="Why there is this rule.")
@click.option("--yes", is_flag=True, help="Do not ask, although the rule names subscribers.")
def add(pattern: str, rule: str, note: str, yes: bool) -> None:
    """Add a rule for PATTERN: a domain, *.domain for its subdomains, or a part before the @ with stars.

    With never-accepted, sign-up gives the usual answer and sends no email. With never-mailed, present
    subscribers get no email either. With allowed, sign-up takes it although its domain is disposable.
    """
    parts = open_runtime()
    wanted, kind = parse_pattern(pattern), KINDS[rule]
    if kind is not RuleKind.ALLOWED and not yes:
        with parts.reading() as session:
            number = count_subscribers(session, wanted)
        if number or wanted.is_wide:
            follows = "get no more email" if kind is RuleKind.NEVER_MAILED else "stay; nobody else can join"
            click.confirm(f"{wanted} names {number:,} subscribers. They {follows}. Add it?", abort=True)
    with parts.session() as session:
        add_rule(session, wanted, kind, note, ACTOR, parts.now())
        session.commit()
    click.echo(f"{wanted}: {rule}.")


@domain.command()
@click.argument("pattern")
def remove(pattern: str) -> None:
    """Remove the rule for PATTERN."""
    parts = open_runtime()
    wanted = parse_pattern(pattern)
    with parts.session() as session:
        for _ in end_rule(session, wanted, ACTOR, parts.now(), parts.settings.snooze_catch_up):
            session.commit()
    click.echo(f"The rule for {wanted} is removed.")
