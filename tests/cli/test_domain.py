"""`newsletter domain`: add, list and remove rules."""

from __future__ import annotations

import json

from newsletter.models import AddressRule


def test_rules_are_added_listed_and_removed(installed, command):
    added = command("domain", "add", "*.Example.net", "never-accepted", "--note", "sells lists")
    assert added.exit_code == 0, added.output

    assert "*.example.net  (sells lists)" in command("domain", "list").output
    (line,) = command("domain", "list", "--json").stdout.splitlines()
    assert json.loads(line)["pattern"] == "*.example.net"
    assert json.loads(line)["rule"] == "never-accepted"
    assert command("domain", "remove", "*.example.net").exit_code == 0
    assert command("domain", "remove", "*.example.net").exit_code == 1
    assert installed.all(AddressRule) == []


def test_a_rule_that_names_subscribers_is_asked_about(installed, command):
    refused = command("domain", "add", "example.org", "never-mailed", given="n\n")
    assert refused.exit_code == 1 and "names 1 subscribers" in refused.output
    assert installed.all(AddressRule) == []

    assert command("domain", "add", "example.org", "never-mailed", given="y\n").exit_code == 0
    assert command("domain", "add", "other.org", "never-mailed", "--yes").exit_code == 0
    assert len(installed.all(AddressRule)) == 2


def test_a_pattern_that_means_everybody_is_refused(command):
    answer = command("domain", "add", "*", "never-mailed", "--yes")

    assert answer.exit_code == 1 and "every address" in answer.output
