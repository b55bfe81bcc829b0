"""`newsletter topic`: add, list and edit topics, their groups, and the rules that fill them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TextIO

import click

from newsletter.cli.arguments import newsletter_option
from newsletter.cli.context import print_json
from newsletter.cli.runtime import open_runtime
from newsletter.models import RuleField, RuleMatch
from newsletter.newsletters.queries import choose_newsletter, find_newsletter, list_newsletters
from newsletter.releases.rules.edit import Trial, set_rules, try_rules
from newsletter.releases.rules.text import read_rules, write_rules
from newsletter.releases.topics.edit import add_group, edit_group, edit_topic, list_groups
from newsletter.releases.topics.manage import (
    RuleEffect,
    add_topic,
    change_rules,
    compare_rules,
    find_topic,
    list_topics,
    rule_set_of,
    rules_of,
)

WORDS = "Releases that hold these whole words fall under it; gas* stands for every word that begins so."
# How many added or removed releases of a rule are listed.
SHOWN = 5
LANGUAGE = "The language of name and description. If left out: the newsletter's first."
ACTOR = "command line"


@click.group()
def topic() -> None:
    """Topics that subscribers can choose."""


@topic.command()
@click.argument("slug")
@click.argument("name")
@newsletter_option
@click.option("--description", default="", help="A sentence for the sign-up page.")
@click.option("--words", multiple=True, help=WORDS)
@click.option(
    "--publisher", multiple=True, help="Releases whose publisher has these words in its name fall under it."
)
@click.option("--all", "match_all", is_flag=True, help="All rules must hold; without it, one is enough.")
def add(
    slug: str,
    name: str,
    newsletter_slug: str | None,
    description: str,
    words: tuple[str, ...],
    publisher: tuple[str, ...],
    match_all: bool,
) -> None:
    """Add a topic. SLUG is its short name in URLs, NAME is what people see."""
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
            newsletter_id=choose_newsletter(session, newsletter_slug).id,
            actor=ACTOR,
            now=parts.now(),
        )
        session.commit()
    click.echo(f"{slug}  {name}")


@topic.command()
@click.argument("slug")
@click.option("--words", multiple=True, help=WORDS)
@click.option(
    "--publisher", multiple=True, help="Releases whose publisher has these words in its name fall under it."
)
@click.option("--clear", is_flag=True, help="Remove the existing rules first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def rule(slug: str, words: tuple[str, ...], publisher: tuple[str, ...], clear: bool, as_json: bool) -> None:
    """Add rules to a topic. They apply to releases that are added from now on.

    Prints which of the newest 5,000 releases each rule adds and removes. Without options, it only prints. An
    existing rule is compared with how it matched before rules could have a *.
    """
    rules = [(RuleField.WORDS, each) for each in words]
    rules += [(RuleField.PUBLISHER, each) for each in publisher]
    parts = open_runtime()
    with parts.session() as session:
        before = rules_of(find_topic(session, slug))
        after = before
        if rules or clear:
            after = rules_of(change_rules(session, slug, rules, clear=clear, actor=ACTOR, now=parts.now()))
            session.commit()
    with parts.reading() as session:
        effects = compare_rules(session, before, after)
    for each in effects:
        _print_effect(each, as_json, is_new=each.rule not in before, is_gone=each.rule not in after)


@topic.command("rules")
@click.argument("slug")
@click.option("--file", type=click.File("r", "utf-8"), help="A file with new rules; - for standard input.")
@click.option("--try", "only_try", is_flag=True, help="Only print what the rules would do.")
@click.option("--existing", is_flag=True, help="Also put stored releases under the topic; none is emailed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rules_(slug: str, file: TextIO | None, only_try: bool, existing: bool, as_json: bool) -> None:
    """Print the rules of a topic as text, or replace them by those of a FILE in the same form.

    Rules apply to releases that are stored from now on. Before it stores them, this prints what they would do
    to the newest 5,000 releases.
    """
    parts = open_runtime()
    given = None if file is None else read_rules(file.read())
    with parts.reading() as session:
        rules = rule_set_of(find_topic(session, slug)) if given is None else given
        trial = try_rules(session, slug, rules) if only_try or given is not None else None
    if trial is not None and as_json:
        print_json({"rules": write_rules(rules), **asdict(trial)})
    elif trial is not None:
        _print_trial(trial)
    elif as_json:
        print_json({"rules": write_rules(rules)})
    else:
        click.echo(write_rules(rules) or "There are no rules, so nothing matches.")
    if only_try or (given is None and not existing):
        return
    with parts.session() as session:
        added = set_rules(session, slug, rules, actor=ACTOR, now=parts.now(), existing=existing)
        session.commit()
    if not as_json:
        click.echo(f"The rules are stored. Stored releases that came under the topic: {added}.")


def _print_trial(trial: Trial) -> None:
    click.echo(
        f"of the newest {trial.tried:,}: match {trial.matches:,}, new {trial.gains:,}, would no longer match "
        f"{trial.losses:,} (they stay), chosen by an editor {trial.by_hand:,}"
    )
    for sign, releases in (("+", trial.gained), ("-", trial.lost)):
        for public_id, title in releases[:SHOWN]:
            click.echo(f"  {sign} {public_id}  {title}")


def _print_effect(effect: RuleEffect, as_json: bool, *, is_new: bool, is_gone: bool) -> None:
    name = f"{effect.rule.field}:{effect.rule.pattern}"
    state = "new" if is_new else "taken away" if is_gone else "kept"
    gained, lost = ([public_id for public_id, _ in each] for each in (effect.gained, effect.lost))
    if as_json:
        print_json({"rule": name, "state": state, "matches": effect.matched, "gains": gained, "loses": lost})
        return
    click.echo(f"{name}  ({state}; matches {effect.matched}, gains {len(gained)}, loses {len(lost)})")
    for sign, releases in (("+", effect.gained), ("-", effect.lost)):
        for public_id, title in releases[:SHOWN]:
            click.echo(f"  {sign} {public_id}  {title}")
        if len(releases) > SHOWN:
            click.echo(f"  {sign} and {len(releases) - SHOWN} more")


@topic.command()
@click.argument("slug")
@click.option("--name", help="What people see. In one language.")
@click.option("--description", help="A sentence for the sign-up page. In one language.")
@click.option("--language", default="", metavar="TAG", help=LANGUAGE)
@click.option("--group", metavar="SLUG", help="The group it stands in on pages; empty for none.")
@click.option("--position", help="Its place among the topics, as a number. The lowest is first.")
def edit(slug: str, language: str, **given: str | None) -> None:
    """Change a topic's name, description, group or position.

    The texts in the newsletter's first language serve every language without texts of its own. To remove the
    texts of another language, give it an empty name.
    """
    parts = open_runtime()
    with parts.session() as session:
        identity = parts.identities.of(session, find_topic(session, slug).newsletter_id)
        texts = {name: text for name, text in given.items() if text is not None}
        changed = edit_topic(session, identity, slug, texts, language=language, actor=ACTOR, now=parts.now())
        session.commit()
    _print_changed(changed)


@topic.group()
def group() -> None:
    """Groups of topics: add, list, edit. Pages with many topics fold by group."""


@group.command("add")
@click.argument("slug")
@click.argument("name")
@newsletter_option
def add_group_(slug: str, name: str, newsletter_slug: str | None) -> None:
    """Add a group after the others. Then: newsletter topic edit TOPIC --group SLUG."""
    parts = open_runtime()
    with parts.session() as session:
        identity = parts.identities.of(session, choose_newsletter(session, newsletter_slug).id)
        add_group(session, identity, slug, name, actor=ACTOR, now=parts.now())
        session.commit()
    click.echo(f"{slug}  {name}")


@group.command("edit")
@click.argument("slug")
@newsletter_option
@click.option("--name", help="What people see. In one language.")
@click.option("--language", default="", metavar="TAG", help=LANGUAGE)
@click.option("--position", help="Its place among the groups, as a number. The lowest is first.")
def edit_group_(slug: str, newsletter_slug: str | None, language: str, **given: str | None) -> None:
    """Change a group's name or position."""
    parts = open_runtime()
    with parts.session() as session:
        identity = parts.identities.of(session, choose_newsletter(session, newsletter_slug).id)
        values = {name: text for name, text in given.items() if text is not None}
        changed = edit_group(session, identity, slug, values, language=language, actor=ACTOR, now=parts.now())
        session.commit()
    _print_changed(changed)


@group.command("list")
@newsletter_option
def list_groups_(newsletter_slug: str | None) -> None:
    """List the groups of a newsletter in the order of the sign-up page."""
    with open_runtime().reading() as session:
        for each in list_groups(session, choose_newsletter(session, newsletter_slug).id):
            click.echo(f"{each.slug}  {each.name}")


def _print_changed(changed: Sequence[str]) -> None:
    click.echo(f"Changed: {', '.join(changed)}." if changed else "Nothing has changed.")


@topic.command("list")
@click.option("--newsletter", "newsletter_slug", metavar="SLUG", help="Only the topics of this newsletter.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
def list_(newsletter_slug: str | None, as_json: bool) -> None:
    """List the topics in the order of the sign-up page."""
    with open_runtime().reading() as session:
        slugs = {row.id: row.slug for row in list_newsletters(session)}
        only = find_newsletter(session, newsletter_slug).id if newsletter_slug else None
        for each in list_topics(session, only):
            rules = [f"{found.field}:{found.pattern}" for found in each.rules]
            text = write_rules(rule_set_of(each))
            owner = slugs[each.newsletter_id]
            if as_json:
                print_json(
                    {
                        "slug": each.slug,
                        "name": each.name,
                        "names": {tag: own["name"] for tag, own in (each.translations or {}).items()},
                        "group": each.group.slug if each.group else None,
                        "newsletter": owner,
                        "match": each.rule_match,
                        "rules": rules,
                        "text": text,
                    }
                )
            else:
                place = f"{owner}  " if len(slugs) > 1 else ""
                matching = "; ".join(line.strip() for line in text.splitlines()) or "no rules"
                click.echo(f"{place}{each.slug}  {each.name}  ({matching})")
