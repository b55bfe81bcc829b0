from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from babel.support import NullTranslations
from jinja2 import UndefinedError

from newsletter.languages import parse_language, read_translations
from newsletter.mail.assemble import DIGEST_FIELDS, DIGEST_SLOTS, FramePart, digest_marks, field
from newsletter.mail.palette import USUAL
from newsletter.mail.templates import TemplateSet, paragraphs
from newsletter.mail.transfer_encoding import Encoding

FOLDER = Path(__file__).parents[2] / "templates" / "email"
SITE = SimpleNamespace(
    name="Harbour & Sons <Letter>",
    tagline="News you chose, in one letter.",
    postal_address="Harbour Road 1, 1000 Town",
    public_url="https://news.example.org",
    home_url="https://news.example.org/",
    name_in_address=False,
    palette=USUAL,
    logo=None,
)
RELEASE = SimpleNamespace(
    title="Ministers meet & talk: <b>not bold</b>",
    publisher="Ministry of Foreign Affairs",
    published_on=date(2025, 10, 23),
    url="https://news.example.org/releases/abc",
    summary="First paragraph\nof two lines.\n\nSecond & last.",
    language="en",
    direction="ltr",
    start="left",
    image=None,
)
CONTEXTS = {
    "confirm": {
        "site": SITE,
        "topics": ["Foreign affairs", "Trade & economy"],
        "confirm_url": "https://news.example.org/confirm/to.ken",
        "disown_url": "https://news.example.org/not-me/to.ken",
        "confirm_days": 7,
        "reminds": False,
        "subscribed": False,
    },
    "reminder": {
        "site": SITE,
        "topics": ["Foreign affairs", "Trade & economy"],
        "confirm_url": "https://news.example.org/confirm/to.ken",
        "disown_url": "https://news.example.org/not-me/to.ken",
        "confirm_days": 7,
        "reminds": False,
        "subscribed": False,
    },
    "welcome": {
        "site": SITE,
        "topics": ["Foreign affairs", "Trade & economy"],
        "releases": [],
        "archive_url": "https://news.example.org/releases",
        "preferences_url": "https://news.example.org/preferences/to.ken",
        "unsubscribe_url": "https://news.example.org/unsubscribe/to.ken",
    },
    "correction": {
        "site": SITE,
        "title": "A new quay",
        "publisher": "Port of Halmstrand",
        "date": date(2025, 10, 23),
        "release_url": "https://news.example.org/releases/abc",
        "release_language": "en",
        "release_direction": "ltr",
        "sentence": "",
        "changes": [
            {
                "field": "title",
                "paragraphs": [[["same", "A new "], ["removed", "pier"], ["added", "quay"]]],
                "is_cut": True,
            },
            {"field": "text", "paragraphs": [[["removed", "It is open."]]], "is_cut": False},
        ],
        "preferences_url": "https://news.example.org/preferences/to.ken",
        "unsubscribe_url": "https://news.example.org/unsubscribe/to.ken",
    },
    "left": {
        "site": SITE,
        "topics": ["Foreign affairs", "Trade & economy"],
        "everything": False,
        "several": False,
        "undo_url": "https://news.example.org/unsubscribe/to.ken/undo",
    },
    "change_address": {
        "site": SITE,
        "change_url": "https://news.example.org/move/to.ken",
        "change_days": 1,
    },
    "address_changed": {
        "site": SITE,
        "change_url": "https://news.example.org/move/to.ken",
        "change_days": 7,
        "change": True,
    },
    "probe": {
        "site": SITE,
        "stay_url": "https://news.example.org/stay/to.ken",
        "preferences_url": "https://news.example.org/preferences/to.ken",
        "unsubscribe_url": "https://news.example.org/unsubscribe/to.ken",
    },
    "notice": {
        "site": SITE,
        "title": "Many sign-ups at once",
        "sentence": "It happened.",
        "remedy": "Do this.",
    },
    "link": {"site": SITE, "preferences_url": "https://news.example.org/preferences/to.ken"},
    "digest": {
        "site": SITE,
        "issue": SimpleNamespace(
            title="No. 7", date=date(2025, 10, 24), is_test=False, note=None, is_urgent=False
        ),
        "headline": "Ministers meet",
        "count": 3,
        "is_cut": False,
        **digest_marks(),
    },
    "own_link": {"site": SITE, "right": "export", "link_url": "https://news.example.org/export/to.ken"},
    "erased": {"site": SITE},
}
MAILS = [*CONTEXTS]


@pytest.fixture(scope="module")
def templates() -> TemplateSet:
    return TemplateSet(FOLDER)


class Outline(HTMLParser):
    """The parts of an email that matter to people who cannot see it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_every_email_has_a_context_here() -> None:
    assert {each.parent.name for each in FOLDER.glob("*/subject.txt")} == set(CONTEXTS)


@pytest.mark.parametrize("name", MAILS)
def test_an_email_has_one_subject_line_a_text_and_a_page(templates: TemplateSet, name: str) -> None:
    mail = templates.render(name, "en", CONTEXTS[name])

    assert mail.subject.strip() == mail.subject != ""
    assert "\n" not in mail.subject
    # The subject of a release's email has a headline instead: the sender's name is beside it.
    assert (SITE.name in mail.subject) == (name not in {"digest", "correction"})
    assert mail.text.endswith("\n")
    assert not re.search(r"[ \t]\n|\n{4}", mail.text)
    assert all(len(line) <= 72 or line.startswith("https://") for line in mail.text.splitlines())
    assert "Harbour & Sons <Letter>" in mail.text
    # Notices go to the owner, who knows the postal address. All other emails must show it.
    assert (SITE.postal_address in mail.text) == (name != "notice")
    assert mail.html.startswith("<!DOCTYPE html>")
    assert "Harbour &amp; Sons &lt;Letter&gt;" in mail.html
    assert (SITE.postal_address in mail.html) == (name != "notice")


def test_a_welcome_names_what_was_new_lately(templates: TemplateSet) -> None:
    day = date(2025, 10, 23)
    release = {"title": RELEASE.title, "publisher": "Ministry", "date": day, "url": RELEASE.url}

    mail = templates.render("welcome", "en", CONTEXTS["welcome"] | {"releases": [release]})

    assert "Ministry, October 23, 2025\nhttps://news.example.org/releases/abc" in mail.text
    assert "Ministers meet &amp; talk: &lt;b&gt;not bold&lt;/b&gt;" in mail.html
    assert [tag for tag, _ in Outline(mail.html).tags if tag in {"h1", "h2", "h3"}] == ["h1", "h2", "h3"]


@pytest.mark.parametrize("name", MAILS)
def test_a_page_can_be_listened_to_and_be_read_in_the_dark(templates: TemplateSet, name: str) -> None:
    page = templates.render(name, "en", CONTEXTS[name]).html
    tags = Outline(page).tags

    assert dict(tags)["html"] == {"lang": "en", "dir": "ltr"}
    assert all(attrs.get("role") == "presentation" for tag, attrs in tags if tag == "table")
    headings = ["h1", "h2", "h3", "h2"] if name == "correction" else ["h1"]
    assert [tag for tag, _ in tags if tag in {"h1", "h2", "h3"}] == headings
    assert not [tag for tag, _ in tags if tag in {"img", "script", "link", "form"}]
    assert '<meta name="color-scheme" content="light dark">' in page
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"<style>[^<]*\.sheet \{ padding: 36px", page)


def test_a_confirmation_says_what_is_asked_how_long_and_what_if_not(templates: TemplateSet) -> None:
    mail = templates.render("confirm", "en", CONTEXTS["confirm"])

    for body in (mail.text, mail.html.replace("&amp;", "&")):
        said = " ".join(body.split())
        assert "https://news.example.org/confirm/to.ken" in said
        assert "7 days" in said
        assert "If you did not ask for this, do nothing" in said
        assert "Foreign affairs" in said
        assert "Trade & economy" in said


def test_a_digest_has_a_place_for_every_field_and_slot_and_leaving_at_top_and_bottom(
    templates: TemplateSet,
) -> None:
    mail = templates.render("digest", "en", CONTEXTS["digest"] | {"is_cut": True})
    text, page = (
        FramePart(mail.text, Encoding.QUOTED_PRINTABLE),
        FramePart(mail.html, Encoding.QUOTED_PRINTABLE),
    )

    assert text.names() == (set(DIGEST_FIELDS), set(DIGEST_SLOTS) - {"preheader"})
    assert page.names() == (set(DIGEST_FIELDS), set(DIGEST_SLOTS))
    for body in (mail.text, mail.html):
        places = [match.start() for match in re.finditer(field("unsubscribe_url"), body)]
        releases = body.index(digest_marks()["releases"])
        assert places[0] < releases < places[-1]


def test_the_page_of_a_digest_is_lean(templates: TemplateSet) -> None:
    frame = templates.render("digest", "en", CONTEXTS["digest"]).html
    piece = templates.render_piece("digest/release", "en", {"site": SITE, "release": RELEASE}).html

    assert len(frame.encode()) < 9_000
    assert len(piece.encode()) < 1_000


def test_a_release_is_escaped_on_the_page_and_plain_in_the_text(templates: TemplateSet) -> None:
    piece = templates.render_piece(
        "digest/release", "en", {"site": SITE, "release": RELEASE, "timezone": "UTC"}
    )

    assert "Ministers meet &amp; talk: &lt;b&gt;not bold&lt;/b&gt;" in piece.html
    assert "Second &amp; last." in piece.html
    assert 'href="https://news.example.org/releases/abc"' in piece.html
    assert [tag for tag, _ in Outline(piece.html).tags] == ["div", "p", "span", "h3", "a", "p", "p", "p", "a"]
    assert piece.text.startswith("Ministers meet & talk: <b>not bold</b>\nMinistry of Foreign Affairs\n")
    assert "\nFirst paragraph of two lines.\n\nSecond & last.\n" in piece.text
    assert "\nhttps://news.example.org/releases/abc\n" in piece.text


@pytest.mark.parametrize(
    ("language", "zone", "shown"),
    [
        ("en", "UTC", "October 23, 2025"),
        ("en-GB", "UTC", "23 October 2025"),
        ("en-GB", "Pacific/Auckland", "23 October 2025"),
        ("lt", "Europe/Vilnius", "2025 m. spalio 23 d."),
        ("xx-nonsense", "UTC", "October 23, 2025"),
    ],
)
def test_release_dates_are_as_published_in_every_zone_in_the_subscribers_language(
    templates: TemplateSet, language: str, zone: str, shown: str
) -> None:
    piece = templates.render_piece(
        "digest/release", language, {"site": SITE, "release": RELEASE, "timezone": zone}
    )

    assert shown in piece.text
    assert shown in piece.html


def test_a_digest_that_leaves_nothing_out_has_no_place_for_more(templates: TemplateSet) -> None:
    mail = templates.render("digest", "en", CONTEXTS["digest"])

    assert "#rest" not in mail.text + mail.html


def test_a_footer_does_not_repeat_a_name_that_the_postal_address_begins_with(templates: TemplateSet) -> None:
    site = SimpleNamespace(**(vars(SITE) | {"postal_address": f"{SITE.name}, Town", "name_in_address": True}))

    mail = templates.render("link", "en", CONTEXTS["link"] | {"site": site})

    assert mail.text.count(SITE.name) == 1


def test_a_newsletter_without_a_tagline_in_this_language_shows_none(templates: TemplateSet) -> None:
    site = SimpleNamespace(**(vars(SITE) | {"tagline": ""}))

    mail = templates.render("link", "en", CONTEXTS["link"] | {"site": site})

    assert "tagline" not in mail.html.partition("<body")[2]


def test_the_confirmation_for_a_subscriber_says_that_their_topics_stay(templates: TemplateSet) -> None:
    mail = templates.render("confirm", "en", CONTEXTS["confirm"] | {"subscribed": True})

    for body in (mail.text, mail.html):
        assert "Your present topics stay as they are." in " ".join(body.split())
        assert "hear from us again" not in body


def test_a_release_without_a_date_or_publisher_has_no_empty_line_for_them(templates: TemplateSet) -> None:
    bare = SimpleNamespace(**(vars(RELEASE) | {"publisher": "", "published_on": None}))

    piece = templates.render_piece("digest/release", "en", {"site": SITE, "release": bare})

    assert piece.text.startswith("Ministers meet & talk: <b>not bold</b>\n\nFirst")
    assert [tag for tag, _ in Outline(piece.html).tags][:2] == ["div", "h3"]


def test_marks_that_a_name_contains_are_taken_out(templates: TemplateSet) -> None:
    site = SimpleNamespace(**(vars(SITE) | {"name": f"Letter {field('unsubscribe_url')!s}"}))

    mail = templates.render("link", "en", CONTEXTS["link"] | {"site": site})

    assert FramePart(mail.text, Encoding.QUOTED_PRINTABLE).names() == (set(), set())
    assert FramePart(mail.html, Encoding.QUOTED_PRINTABLE).names() == (set(), set())
    assert mail.subject == "Your link to Letter unsubscribe_url"


def test_a_subject_is_one_line_whatever_the_name_is(templates: TemplateSet) -> None:
    site = SimpleNamespace(**(vars(SITE) | {"name": "The\r\nBcc: x@example.org\tLetter"}))

    mail = templates.render("link", "en", CONTEXTS["link"] | {"site": site})

    assert mail.subject == "Your link to The Bcc: x@example.org Letter"


def test_what_a_template_needs_and_does_not_get_is_an_error(templates: TemplateSet) -> None:
    context = {key: value for key, value in CONTEXTS["confirm"].items() if key != "confirm_url"}

    with pytest.raises(UndefinedError, match="confirm_url"):
        templates.render("confirm", "en", context)


def test_a_catalogue_translates_and_what_it_lacks_stays_english(tmp_path: Path) -> None:
    catalogue = Catalog(locale="lt")
    catalogue.add("Read more", "Skaityti toliau")
    catalogue.add("Your link to %(name)s", "Jūsų nuoroda: %(name)s")
    path = tmp_path / "lt" / "LC_MESSAGES" / "messages.po"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_po(file, catalogue)
    catalogues = {"lt": read_translations(path)}
    translated = TemplateSet(FOLDER, lambda tag: catalogues.get(tag[:2], NullTranslations()))

    piece = translated.render_piece("digest/release", "lt-LT", {"site": SITE, "release": RELEASE})
    mail = translated.render("link", "lt", CONTEXTS["link"])

    assert "Skaityti toliau" in piece.html
    assert "Read more:" in piece.text
    assert mail.subject == "Jūsų nuoroda: Harbour & Sons <Letter>"
    assert translated.render("link", "de", CONTEXTS["link"]).subject.startswith("Your link to")


def test_a_language_written_from_the_right_turns_the_page_round(templates: TemplateSet) -> None:
    page = templates.render("link", "ar", CONTEXTS["link"]).html

    assert '<html lang="ar" dir="rtl">' in page
    assert 'class="sheet" align="right"' in page


def test_an_unknown_language_is_english() -> None:
    assert str(parse_language("")) == str(parse_language("../../etc")) == "en"
    assert str(parse_language("pt-BR")) == "pt_BR"


def test_empty_lines_part_paragraphs() -> None:
    assert paragraphs("a\nb\n \n\nc\n") == ["a b", "c"]
    assert paragraphs(" \n") == []
