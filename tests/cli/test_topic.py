"""`newsletter topic`: the releases that each rule adds and removes are printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from house import ENVIRON, House

from newsletter.cli import main
from newsletter.models import ReleaseTopic, TopicRule


@pytest.fixture
def owner(owner: House) -> House:
    """An installation with a topic of two rules, and three releases."""
    owner.topic("energy", "газ", "quay")
    for title in ("Новый магазин", "Газ дорожает", "A new quay"):
        owner.release(title)
    return owner


def run(owner: House, *words: str) -> Result:
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(owner.runtime.settings.data_dir)}
    told = CliRunner().invoke(main, ["topic", *words], env=environ)
    assert told.exit_code == 0, told.output
    return told


def rules(owner: House) -> list[str]:
    with owner.runtime.session() as session:
        return [each.pattern for each in session.query(TopicRule).order_by(TopicRule.id)]


def test_without_options_the_command_only_tells_what_each_rule_gains_and_loses(owner: House):
    told = run(owner, "rule", "energy").output.splitlines()

    assert told[0] == "words:газ  (kept; matches 1, gains 0, loses 1)"
    assert told[1].startswith("  - ")
    assert told[1].endswith("  Новый магазин")
    assert told[2] == "words:quay  (kept; matches 1, gains 0, loses 0)"
    assert rules(owner) == ["газ", "quay"]


def told_of(owner: House, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(owner, "rule", "energy", *words, "--json").output.splitlines()]


def test_a_changed_rule_is_told_beside_those_that_stay_and_go(owner: House):
    added = told_of(owner, "--words", "мага*")
    cleared = told_of(owner, "--clear", "--words", "газ*")

    assert [(each["rule"], each["state"], each["matches"]) for each in added] == [
        ("words:газ", "kept", 1),
        ("words:quay", "kept", 1),
        ("words:мага*", "new", 1),
    ]
    assert [(len(each["gains"]), len(each["loses"])) for each in added] == [(0, 1), (0, 0), (1, 0)]
    assert [(each["rule"], each["state"], each["matches"]) for each in cleared] == [
        ("words:газ", "taken away", 0),
        ("words:quay", "taken away", 0),
        ("words:мага*", "taken away", 0),
        ("words:газ*", "new", 1),
    ]
    assert rules(owner) == ["газ*"]


@pytest.mark.parametrize("pattern", ["*", "*gas", "g*s", "gas * pump"])
def test_a_star_that_ends_no_word_is_refused(owner: House, pattern: str):
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(owner.runtime.settings.data_dir)}

    told = CliRunner().invoke(main, ["topic", "rule", "energy", "--words", pattern], env=environ)

    assert told.exit_code == 1
    assert "write it like" in told.output
    assert len(rules(owner)) == 2


def test_a_topic_is_filled_by_beginnings_of_words(owner: House):
    run(owner, "rule", "energy", "--words", "газ*")
    release_id = owner.release("Газопровод построен")

    told = run(owner, "rule", "energy", "--json").output.splitlines()
    with owner.runtime.session() as session:
        links = session.query(ReleaseTopic).filter_by(release_id=release_id).all()

    assert len(links) == 1
    assert json.loads(told[2])["matches"] == 2


def test_a_topic_belongs_to_the_newsletter_that_is_named(owner: House):
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(owner.runtime.settings.data_dir)}
    words = ["add", "harbour", "--name", "Harbour News", "--from-address", "desk@harbour.example"]
    assert CliRunner().invoke(main, words, env=environ).exit_code == 0

    without = CliRunner().invoke(main, ["topic", "add", "quays", "Quays"], env=environ)
    run(owner, "add", "quays", "Quays", "--newsletter", "harbour")
    again = CliRunner().invoke(main, ["topic", "add", "quays", "Quays", "--newsletter", "news"], env=environ)

    assert "Say which one, by --newsletter: news, harbour." in without.output
    assert "There is already a topic quays, in the newsletter harbour" in again.output
    assert run(owner, "list", "--newsletter", "harbour").output.startswith("harbour  quays  Quays")
    assert run(owner, "list", "--newsletter", "news").output.startswith("news  energy  Energy")


def test_rules_are_printed_tried_and_replaced_as_text(owner: House, tmp_path: Path):
    file = tmp_path / "rules"
    file.write_text("all of\nwords: quay\nnot language: ru\n", "utf-8")

    shown = run(owner, "rules", "energy").output
    tried = run(owner, "rules", "energy", "--file", str(file), "--try", "--json").output
    assert rules(owner) == ["газ", "quay"]
    run(owner, "rules", "energy", "--file", str(file))

    assert shown == "any of\nwords: газ\nwords: quay\n"
    told = json.loads(tried)
    assert (told["matches"], told["gains"], told["losses"]) == (1, 0, 1)
    assert run(owner, "rules", "energy").output == "all of\nwords: quay\nnot language: ru\n"
