"""`newsletter digest order`: show, change and refuse."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result
from house import ENVIRON, House, public_id

from newsletter.cli import main
from newsletter.models import Frequency


@pytest.fixture
def owner(owner: House) -> House:
    """An installation with two releases that wait for a subscriber."""
    owner.add_subscriber(owner.topic("energy"), frequency=Frequency.DAILY)
    return owner


def run(owner: House, *words: str, **more: str) -> Result:
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(owner.runtime.settings.data_dir)}
    return CliRunner().invoke(main, ["digest", "order", *words], env=environ, **more)


def test_an_order_is_set_shown_changed_and_removed(owner: House):
    mast, cable = (public_id(owner, owner.release(f"An energy {each}")) for each in ("mast", "cable"))

    first = run(owner, "by-hand", "--section", f"Top = stories={cable}", "--json")
    shown = json.loads(first.output)
    assert shown["sections"] == [{"title": "Top = stories", "titles": {}, "releases": [cable]}]
    assert [each["id"] for each in shown["others"]] == [mast]

    shown["sections"][0]["releases"].append(mast)
    second = run(owner, "by-hand", "--from", "-", input=json.dumps(shown))
    assert "version 2" in second.output
    assert second.output.index(cable) < second.output.index(mast) < second.output.index("(by topic)")

    last = run(owner, "by-hand", "--automatic", "--version", "2", "--json")
    assert json.loads(last.output)["sections"] == []


def test_an_order_of_another_person_is_not_replaced_by_chance(owner: House):
    cable = public_id(owner, owner.release("An energy cable"))
    run(owner, "by-hand", "--section", f"Top={cable}")

    again = run(owner, "by-hand", "--section", f"Other={cable}")

    assert again.exit_code == 1
    assert "changed this order meanwhile, so nothing was saved" in again.output


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (["by-hand", "--section", "Top"], "", "is no section"),
        (["by-hand", "--section", "Top=abcdefghijkl"], "", "There is no release abcdefghijkl"),
        (["by-hand", "--from", "-"], "[", "is not JSON"),
        (["by-hand", "--from", "-"], "[1]", "has no sections"),
        (["by-hand", "--from", "-"], '{"sections": [{"title": 1}]}', "A section is not as it should be"),
        (["2026-03-10"], "", "The schedule has no issue for 2026-03-10"),
        (["abcdefghijkl"], "", "There is no issue abcdefghijkl"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(owner: House, words: list[str], given: str, said: str):
    answer = run(owner, *words, input=given)

    assert answer.exit_code == 1
    assert said in answer.output
    assert "Traceback" not in answer.output


def test_only_one_way_to_give_sections(owner: House):
    assert run(owner, "by-hand", "--automatic", "--section", "A=b").exit_code == 2
