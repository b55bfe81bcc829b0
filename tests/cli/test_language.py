"""`newsletter language`: list the languages, and add one."""

from __future__ import annotations

import json

import pytest
from babel.messages.pofile import read_po
from click.testing import CliRunner

from newsletter.cli import main
from newsletter.languages import LANGUAGES, read_translations
from newsletter.service import catalogues


def run(*words: str):
    return CliRunner().invoke(main, ["--env-file", "", "language", *words])


def test_the_languages_are_listed_in_their_own_words():
    shown = run("list")
    lines = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]

    assert shown.exit_code == 0
    assert [line["language"] for line in lines] == list(LANGUAGES)
    assert {"lt": "Lietuvių", "ja": "日本語"}.items() <= {
        line["language"]: line["name"] for line in lines
    }.items()


@pytest.mark.parametrize(
    ("code", "folder", "forms"), [("pl", "pl", 3), ("pt-BR", "pt_BR", 2), ("ar", "ar", 6), ("ko", "ko", 1)]
)
def test_a_language_begins_with_every_text_and_its_own_plural_forms(tmp_path, code, folder, forms):
    file, left = catalogues.add(code, tmp_path)

    with file.open("rb") as source:
        made = read_po(source)
    assert file == tmp_path / folder / "LC_MESSAGES" / "messages.po"
    assert {message.id for message in left} == {message.id for message in catalogues.gather() if message.id}
    assert made.num_plurals == forms
    assert not made.fuzzy
    assert read_translations(file).gettext("Read more") == "Read more"


def test_a_language_that_is_there_is_not_begun_again():
    answer = run("add", "de")

    assert answer.exit_code == 1
    assert "de exists already" in answer.stderr


@pytest.mark.parametrize("code", ["", "nonsense", "../../etc", "xx-YY-ZZ"])
def test_what_is_no_language_is_refused_in_words(code):
    answer = run("add", code)

    assert answer.exit_code == 1
    assert "is not a language tag such as pl or pt-BR" in answer.stderr
