"""Guard: every catalogue translates every text, with the same placeholders, tags and punctuation."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from babel import Locale
from babel.messages import Catalog, Message
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po

from newsletter.languages import LANGUAGES, catalogue_file, translations
from newsletter.service.catalogues import gather, languages_to_translate, untranslated

PLACEHOLDER = re.compile(r"%(?:\((\w+)\)[a-z]|%|.)")
TAG = re.compile(r"<[^>]+>")
# The characters that end a sentence, in any of our scripts.
ENDS = {".": ".。", ":": ":：。", "?": "?？。", ",": ",、"}


@pytest.fixture(scope="module")
def today() -> Catalog:
    return gather()


def catalogue(language: str) -> Catalog:
    with catalogue_file(language).open("rb") as file:
        return read_po(file, locale=language.replace("-", "_"), abort_invalid=True)


def entries(language: str) -> Iterator[tuple[Message, list[str], list[str]]]:
    """Each translated message of a catalogue with its sources and its texts, one for each plural form."""
    found = catalogue(language)
    missing = {message.id for message in untranslated(found)}
    for message in found:
        if message.id and message.id not in missing:
            plural = isinstance(message.id, (list, tuple))
            yield (
                message,
                list(message.id) if plural else [message.id],
                list(message.string) if plural else [message.string],
            )


def placeholders(text: str) -> set[str]:
    return {found.group(0) for found in PLACEHOLDER.finditer(text)}


def test_the_six_languages_are_there():
    assert set(LANGUAGES) >= {"en", "lt", "de", "fr", "es", "ja"}
    assert LANGUAGES[0] == "en"


@pytest.mark.parametrize("language", languages_to_translate())
def test_a_catalogue_holds_the_texts_of_today_and_no_others(language, today):
    wanted = {(message.id, message.context) for message in today if message.id}
    held = {(message.id, message.context) for message in catalogue(language) if message.id}

    assert sorted(map(str, wanted - held)) == [], "run `make messages`, then translate these"
    assert sorted(map(str, held - wanted)) == [], "run `make messages`: these are not used any more"


@pytest.mark.parametrize("language", languages_to_translate())
def test_no_entry_is_missing_or_fuzzy(language):
    assert [message.id for message in untranslated(catalogue(language))] == []


@pytest.mark.parametrize("language", languages_to_translate())
def test_translations_have_the_placeholders_and_tags_of_their_source(language):
    faults = []
    for message, sources, texts in entries(language):
        most = set().union(*map(placeholders, sources))
        # "in a minute" may say one without a number, where exactly one is meant.
        least = set.intersection(*map(placeholders, sources))
        for text in texts:
            if not least <= placeholders(text) <= most or TAG.findall(text) != TAG.findall(sources[0]):
                faults.append((message.id, text))
        if len(texts) > 1 and placeholders(texts[-1]) != most:
            faults.append((message.id, texts[-1]))

    assert faults == []


@pytest.mark.parametrize("language", languages_to_translate())
def test_a_form_without_its_number_is_for_exactly_one(language):
    rule = get_plural(language.replace("-", "_"))
    found = catalogue(language)
    form = plural_function(found)
    for message, sources, texts in entries(language):
        assert len(texts) == (rule.num_plurals if len(sources) > 1 else 1), message.id
        for at, text in enumerate(texts):
            if placeholders(text) != set().union(*map(placeholders, sources)):
                assert [number for number in range(1, 1000) if form(number) == at] == [1], text


@pytest.mark.parametrize("language", languages_to_translate())
def test_plural_forms_are_those_of_cldr(language):
    form = plural_function(catalogue(language))
    rule = Locale.parse(language, sep="-").plural_form

    kinds = {(form(number), rule(number)) for number in range(2000)}

    # One form for each kind of number, one kind for each form.
    assert len(kinds) == len({at for at, _ in kinds}) == len({kind for _, kind in kinds})


def plural_function(found: Catalog):
    compiled = translations(str(found.locale).replace("_", "-"))
    return compiled.plural


@pytest.mark.parametrize("language", languages_to_translate())
def test_a_translation_is_a_sentence_where_its_source_is(language):
    faults = []
    for _, sources, texts in entries(language):
        for text in texts:
            end = sources[0][-1]
            if text != text.strip() or (end in ENDS and text[-1] not in ENDS[end] + "."):
                faults.append((sources[0], text))
            if end not in ENDS and text[-1] in ".:。：":
                faults.append((sources[0], text))

    assert faults == []


@pytest.mark.parametrize("language", languages_to_translate())
def test_quotation_marks_and_apostrophes_are_typographic(language):
    faults = [
        text for _, _, texts in entries(language) for text in texts if re.search("[\"']", TAG.sub("", text))
    ]

    assert faults == []


def test_french_keeps_its_signs_on_the_line():
    signs = re.compile(r"[^\u00a0\u202f][:;?!»](?!//)|«[^\u00a0\u202f]")
    if "fr" in LANGUAGES:
        loose = [text for _, _, texts in entries("fr") for text in texts if signs.search(TAG.sub("", text))]

        assert loose == []


def test_a_language_without_a_catalogue_is_english():
    assert translations("und").gettext("Read more") == translations("en").gettext("Read more") == "Read more"
    assert translations("de-AT").gettext("Read more") == "Weiterlesen"


def test_numbers_choose_their_form():
    day = "The link works for %(count)s day. Nothing starts before you press the button."
    days = "The link works for %(count)s days. Nothing starts before you press the button."

    said = [translations("lt").ngettext(day, days, count).split()[3] for count in (1, 2, 10, 11, 21, 22, 111)]

    assert said == ["dieną.", "dienas.", "dienų.", "dienų.", "dieną.", "dienas.", "dienų."]
