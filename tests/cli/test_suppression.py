"""`newsletter suppression`: list, import, undo and export."""

from __future__ import annotations

import json

from newsletter.models import AuditEntry, Suppression


def test_a_file_is_counted_imported_listed_exported_and_undone(installed, command):
    given = "ann@example.org\nbob@example.org\nnobody\n"

    tried = json.loads(command("suppression", "import", "-", "--dry-run", "--json", given=given).stdout)
    assert tried == {"import": None, "new": 2, "known": 0, "unreadable": 1, "lines": [3]}
    assert installed.all(Suppression) == []
    done = command("suppression", "import", "-", given=given)
    assert done.exit_code == 0, done.output
    assert "Imported: 2 new" in done.output and "(line 3)" in done.output

    listed = [json.loads(line) for line in command("suppression", "list", "--json").stdout.splitlines()]
    assert {(each["address"], each["reason"], each["import"]) for each in listed} == {
        ("ann@example.org", "manual", 1),
        (None, "manual", 1),
    }
    assert len(command("suppression", "list", "--limit", "1").stdout.splitlines()) == 1
    assert "bob" not in command("suppression", "list").output
    exported = command("suppression", "export", "--reason", "manual").stdout.splitlines()
    assert exported[0] == "address,reason,since" and exported[1].startswith("ann@example.org,manual,")
    assert len(exported) == 2
    assert command("suppression", "export", "--until", "2001-01-01").stdout.splitlines() == exported[:1]

    assert "2 addresses may be emailed again" in command("suppression", "undo", "1").output
    assert installed.all(Suppression) == []
    assert "undone" in command("suppression", "imports").output
    assert json.loads(command("suppression", "imports", "--json").stdout)["undone_at"]
    assert command("suppression", "undo", "1").exit_code == 1


def test_why_one_address_is_lifted_stands_in_the_audit_log(installed, command):
    command("subscriber", "suppress", "bob@example.org")
    command("subscriber", "unsuppress", "bob@example.org", "--why", "asked by phone")

    assert installed.all(AuditEntry)[-1].detail == {"reason": "manual", "why": "asked by phone"}
