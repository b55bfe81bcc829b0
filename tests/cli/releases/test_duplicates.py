"""The commands on releases that are the same."""

from __future__ import annotations

import json
from pathlib import Path

from cli.releases.test_release import run
from house import House, public_id
from releases.duplicates.samples import TEXT, add_source, arrive, press, state


def test_releases_are_listed_merged_and_taken_apart(owner: House):
    one = arrive(owner, press(), source=add_source(owner, "one"))
    other = arrive(owner, press(TEXT.replace("140", "150")), source=add_source(owner, "two"))
    names = public_id(owner, one), public_id(owner, other)

    listed = run(owner, "release", "duplicates", "--json")
    merged = run(owner, "release", "merge", *names)
    places = run(owner, "release", "places", names[0])
    again = run(owner, "release", "merge", *names)
    undone = run(owner, "release", "unmerge", names[1])

    assert json.loads(listed.output) == {"earlier": names[0], "later": names[1], "differs": ["figures"]}
    assert f"newsletter release unmerge {names[1]}" in merged.output
    assert [line.split("  ")[1] for line in places.output.splitlines()] == ["One", "Two"]
    assert (again.exit_code, undone.output) == (1, f"{names[1]} is ready again.\n")
    assert run(owner, "release", "duplicates").output == ""
    assert state(owner, other) == "ready"


def test_releases_are_said_to_be_different(owner: House):
    one, other = arrive(owner, press()), arrive(owner, press(TEXT.replace("140", "150")))

    done = run(owner, "release", "different", public_id(owner, one), public_id(owner, other))

    assert done.output == "They are different.\n"
    assert run(owner, "release", "duplicates", "--json").output == ""


def test_a_file_with_one_word_changed_is_the_release_that_is_known(owner: House, tmp_path: Path):
    text = TEXT.replace("Building", "The building of it").replace("\n\n", f"\n\n{TEXT.split('. ')[0]}. ")
    file = tmp_path / "release.txt"
    file.write_text(f"Halmstrand gets a third quay\n\nHALMSTRAND, 10 March 2026 - {text}\n")
    first = json.loads(run(owner, "release", "add", str(file), "--json").output)
    file.write_text(file.read_text().replace("stays open", "remains open"))

    second = json.loads(run(owner, "release", "add", str(file), "--json").output)

    assert (second["id"], second["known"]) == (first["id"], True)
