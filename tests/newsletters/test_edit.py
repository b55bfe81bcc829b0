"""The first newsletter gets its content from the settings, and is then edited in the database."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from house import House, make_house, make_settings
from PIL import Image
from sqlalchemy import select

from newsletter.errors import FieldsInvalid
from newsletter.identity import Identity, Texts, load_identity
from newsletter.models import (
    FIRST_NEWSLETTER,
    AuditEntry,
    Frequency,
    Issue,
    Newsletter,
    NewsletterText,
    StoredLogo,
    Topic,
)
from newsletter.newsletters.add import add_newsletter
from newsletter.newsletters.edit import differing_settings, edit_newsletter, fill_first
from newsletter.newsletters.fields import FIELDS


def fill(house: House) -> bool:
    with house.runtime.session() as session:
        filled = fill_first(session, house.runtime.settings, house.clock())
        session.commit()
        return filled


def edit(house: House, *, language: str = "", **given: str) -> list[str]:
    with house.runtime.session() as session:
        changed = edit_newsletter(
            session, house.runtime.settings, given, language=language, actor="ann", now=house.clock()
        )
        session.commit()
        return list(changed)


def identity(house: House) -> Identity:
    with house.runtime.reading() as session:
        return load_identity(session, house.runtime.settings, FIRST_NEWSLETTER)


def faults(house: House, **given: str) -> dict[str, str]:
    with pytest.raises(FieldsInvalid) as raised:
        edit(house, **given)
    return raised.value.faults


def test_before_it_has_content_a_newsletter_is_what_the_settings_say(house):
    found = identity(house)

    assert found.version == 0
    assert found.from_address == house.runtime.settings.from_address
    assert found.name == house.runtime.settings.site_name


def test_the_first_content_is_that_of_the_settings_and_is_filled_once(either_house):
    before = identity(either_house)

    assert fill(either_house) is True
    assert fill(either_house) is False

    assert identity(either_house) == replace(before, version=1)


def test_an_edit_changes_the_given_fields_and_keeps_the_others(house):
    fill(house)
    before = identity(house)

    changed = edit(house, from_address="letters@harbour.example", reply_to="", time_zone="Europe/Vilnius")

    assert changed == ["from_address", "time_zone"]
    after = replace(before, version=2, from_address="letters@harbour.example", time_zone="Europe/Vilnius")
    assert identity(house) == after


def test_an_edit_without_a_change_makes_no_version(house):
    fill(house)

    assert edit(house, name="  The  Release Letter ", time_zone="UTC") == []
    assert identity(house).version == 1


def test_texts_are_kept_by_language_and_earlier_ones_stay(house):
    fill(house)

    edit(house, name="The Harbour Letter")
    house.clock.pass_(days=1)
    edit(house, language="lt", name="Uosto laiškas")
    edit(house, name="Harbour News")

    found = identity(house)
    tagline = house.runtime.settings.tagline
    assert found.texts_in("lt").name == "Uosto laiškas"
    assert found.texts_in("de").name == "Harbour News"
    assert found.texts_in("en") == Texts("Harbour News", tagline)
    versions = [
        (row.language, row.version, row.name)
        for row in house.runtime.session().scalars(select(NewsletterText).order_by(NewsletterText.version))
    ]
    assert versions == [
        ("en", 1, "The Release Letter"),
        ("en", 2, "The Harbour Letter"),
        ("lt", 3, "Uosto laiškas"),
        ("en", 4, "Harbour News"),
    ]


def test_a_new_first_language_gets_the_texts_that_its_subscribers_saw_before(house):
    fill(house)

    edit(house, languages="lt, en")
    edit(house, language="en", name="Only in English")

    assert identity(house).texts_in("lt").name == "The Release Letter"
    assert identity(house).texts_in("en").name == "Only in English"


def test_every_fault_is_told_for_its_field_and_nothing_is_changed(house):
    fill(house)

    found = faults(
        house,
        slug="Not a slug",
        consent="x" * 1001,
        default_frequency="hourly",
        email_images="all",
        click_counting="everybody",
        position="first",
        accent="red",
        on_accent="#fff",
        dark_accent="x",
        on_dark_accent="#12345g",
        name=" ",
        tagline="x" * 501,
        from_address="no address",
        reply_to="ann@",
        postal_address="",
        languages="en, tlh",
        time_zone="Mars/Olympus",
        from_name="Ed\x07itor",
        subject="{topic}",
    )

    assert set(found) == set(FIELDS)
    assert found["name"] == "Name is empty."
    assert found["time_zone"] == "Time zone is not an IANA time zone such as Europe/Vilnius."
    assert identity(house).version == 1


def test_a_text_in_a_language_that_the_newsletter_does_not_have_is_refused(house):
    fill(house)
    edit(house, languages="en, lt")

    assert set(faults(house, language="de", name="Der Brief")) == {"language"}


def test_an_edit_is_in_the_audit_log_without_its_addresses(house):
    edit(house, from_address="letters@harbour.example")

    with house.runtime.session() as session:
        (edited,) = session.scalars(select(AuditEntry)).all()
    assert (edited.actor, edited.action, edited.subject) == ("ann", "newsletter.edit", "news")
    assert edited.detail == {"fields": ["from_address"], "language": "en"}


def test_a_former_setting_that_is_set_and_differs_is_reported(tmp_path):
    house = make_house(make_settings(tmp_path, site_name="The Harbour Letter"))
    fill(house)
    settings = house.runtime.settings
    assert differing_settings(settings, identity(house)) == []

    edit(house, name="Harbour News", tagline="News of the harbour", from_address="new@example.org")

    # The tagline was never set.
    assert differing_settings(settings, identity(house)) == [
        "NEWSLETTER_SITE_NAME",
        "NEWSLETTER_FROM_ADDRESS",
    ]
    house.runtime.engine.dispose()


def test_topics_and_issues_belong_to_the_first_newsletter(either_house):
    energy = either_house.topic("energy")
    either_house.add_subscriber(energy)
    either_house.release("A new energy cable")
    either_house.open()

    with either_house.runtime.session() as session:
        (only,) = session.scalars(select(Newsletter)).all()
    assert only.id == FIRST_NEWSLETTER
    rows = [*either_house.all(Topic), *either_house.all(Issue)]
    assert [each.newsletter_id for each in rows] == [FIRST_NEWSLETTER] * 2


def test_a_consent_wording_belongs_to_its_language_only(house):
    fill(house)

    edit(house, consent="Send me the topics I chose.")
    edit(house, language="lt", name="Uosto laiškas")

    assert identity(house).texts_in("en").consent == "Send me the topics I chose."
    assert identity(house).texts_in("lt").consent == ""


def test_default_frequency_and_position_are_read_from_text(house):
    fill(house)

    assert edit(house, default_frequency="Daily", position="7") == ["default_frequency", "position"]
    assert (identity(house).default_frequency, identity(house).position) == (Frequency.DAILY, 7)


@pytest.mark.parametrize("slug", ["harbour", "a", "2026", "harbour-news-2", "x" * 64])
def test_a_slug_has_words_joined_by_hyphens(house, slug):
    assert edit(house, slug=slug) == ["slug"]
    assert identity(house).slug == slug


@pytest.mark.parametrize(
    "slug", ["", "-a", "a-", "a--b", "Harbour", "hafen_news", "häfen", "a b", "x" * 65, "new"]
)
def test_other_and_reserved_slugs_are_refused(house, slug):
    assert set(faults(house, slug=slug)) == {"slug"}


def test_a_newsletter_cannot_take_the_sender_or_the_slug_of_another(house):
    fill(house)
    with house.runtime.session() as session:
        fields = {"name": "Harbour News", "from_address": "letter@example.org"}
        add_newsletter(
            session, house.runtime.settings, slug="harbour", fields=fields, actor="ann", now=house.clock()
        )
        session.commit()

    found = faults(house, slug="harbour", name="HARBOUR news")

    assert found == {
        "slug": "Harbour News already has the slug harbour. Choose another.",
        "from_address": "The newsletter harbour already sends as Harbour News <letter@example.org>. Choose "
        "another From address or From name.",
    }


def test_colours_are_checked_together_and_computed_if_not_chosen(house):
    fill(house)

    assert edit(house, accent="#1B5E8C") == ["accent"]
    assert identity(house).colours == {"accent": "#1b5e8c"}
    assert edit(house, accent="") == ["accent"]
    assert identity(house).colours == {}
    found = faults(house, accent="#ffdd00", on_accent="blue")
    assert found["accent"].startswith(
        "Accent colour: #ffdd00 on the page in light mode (#fbfaf7) has a contrast"
    )
    assert found["on_accent"].startswith("Text on the accent colour is not a colour such as")


def test_a_logo_that_is_no_image_is_told_beside_its_field_and_nothing_is_stored(house):
    fill(house)

    with house.runtime.session() as session, pytest.raises(FieldsInvalid) as raised:
        edit_newsletter(
            session, house.runtime.settings, {"name": "X"}, logo=b"<svg/>", actor="ann", now=house.clock()
        )

    assert raised.value.faults == {
        "logo": "The logo file is not an image of the kind PNG, JPEG, GIF or WebP."
    }
    assert house.all(StoredLogo) == []


def test_a_good_logo_is_not_stored_if_another_field_is_wrong(house):
    fill(house)
    file = io.BytesIO()
    Image.new("RGB", (10, 10)).save(file, "PNG")

    with house.runtime.session() as session:
        settings, now, logo = house.runtime.settings, house.clock(), file.getvalue()
        with pytest.raises(FieldsInvalid):
            edit_newsletter(session, settings, {"name": ""}, logo=logo, actor="ann", now=now)
        session.commit()

    assert house.all(StoredLogo) == []
