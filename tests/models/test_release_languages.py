"""Whether a subscriber wants the language of a release: the same in Python and in SQL."""

from __future__ import annotations

from sqlalchemy import select, update

from newsletter.models import Release, Subscriber
from newsletter.models.release_languages import (
    base_language,
    read_choice,
    stored_choice_wants,
    wants,
    wants_in_sql,
    write_choice,
)

LANGUAGES = ["en", "de", "de-AT", "pt-BR", "fil", "fil-PH", "d", "EN-us", "und", ""]
CHOICES = [None, "de", "de,en", "pt", "fil", "ende", "zh,fi"]


def test_a_choice_is_stored_in_order_and_none_means_all():
    assert write_choice({"en", "de"}) == "de,en"
    assert write_choice(()) is None
    assert read_choice("de,en") == {"de", "en"}
    assert read_choice(None) == frozenset()


def test_a_region_belongs_to_its_language_and_an_unknown_language_is_always_wanted():
    assert base_language("pt-BR") == "pt"
    assert wants(frozenset({"pt"}), "pt-BR")
    assert wants(frozenset({"pt"}), "und")
    assert wants(frozenset(), "tlh")
    assert not wants(frozenset({"pt"}), "en")


def test_both_databases_decide_as_python_does(either_house):
    with either_house.runtime.session() as session:
        made = [either_house.release(f"Release {at}") for at in range(len(LANGUAGES))]
        for number, language in zip(made, LANGUAGES, strict=True):
            session.execute(update(Release).where(Release.id == number).values(language=language))
        for at, choice in enumerate(CHOICES):
            person = either_house.subscriber(f"reader-{at}")
            person.release_languages = choice
            session.add(person)
        session.commit()

        pairs = session.execute(
            select(Subscriber.release_languages, Release.language).where(
                stored_choice_wants(Subscriber.release_languages, Release.language)
            )
        )
        stored = {(choice, language) for choice, language in pairs}
        each = {
            (choice, language)
            for choice in CHOICES
            for language in session.scalars(
                select(Release.language).where(wants_in_sql(read_choice(choice), Release.language))
            )
        }

    right = {
        (choice, language)
        for choice in CHOICES
        for language in LANGUAGES
        if wants(read_choice(choice), language)
    }
    assert stored == right
    assert each == right
