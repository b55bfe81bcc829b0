"""Rules for page furniture: lines that each must match, and lines of prose that none may match."""

from __future__ import annotations

import pytest

from newsletter.ingest.press.lines.furniture import RULES, Kind, is_contact_line, kind_of

FITS = {
    "end mark": ["###", "# # #", "ENDS", "-Ends-", "(END)", "以上", "끝", "Конец"],
    "end number": ["-30-", "- 30 -", "Enditem", "Enditem/ls", "(E)", "END 11:58 A.M. EDT", "NNNN"],
    "rule": ["|", "-----", "* * *", "====", "•"],
    "skip link": ["Skip to main content", "Zum Inhalt springen", "Aller au contenu principal", "本文へ移動"],
    "breadcrumb": [
        "Home > News > Press releases",
        "Pradžia > Naujienos",
        "ホーム > ニュース",
        "You are here: Home / News",
    ],
    "trail": ["Newsroom > Press > 2025", "Ministerium › Presse › Meldungen"],
    "official site": ["An official website of the United States government", "Here's how you know"],
    "cookies": [
        "We use cookies to improve your experience.",
        "This website uses cookies",
        "Accept all cookies",
        "Diese Website verwendet Cookies.",
        "Ši svetainė naudoja slapukus",
        "Сайт использует файлы cookie",
        "Esta web utiliza cookies propias. "
        + "Al hacer clic en el botón Aceptar, acepta estas condiciones. " * 8,
    ],
    "mailing list": [
        "Join the GlobalSecurity.org mailing list",
        "NEWSLETTER",
        "Sign up for our newsletter",
        "Subscribe",
    ],
    "asks readers": [
        "Ihre Meinung ist uns wichtig. Schreiben Sie uns!",
        "Share this Story : Harbour Post",
        "Was this page helpful?",
        "Нашли ошибку? Сообщите нам",
        "Jetzt testen",
    ],
    "advertisement": ["Advertisement", "- Advertisement -", "ANZEIGE", "広告"],
    "copyright": [
        "© 2025 Port of Ness",
        "All rights reserved.",
        "Copyright (c) 2025. RFH/RN, Inc.",
        "版权所有 新民社",
    ],
    "caption": [
        "Photo: The quay",
        "Image credit: Ole Hansen",
        "(Photo: Ministry)",
        "Foto: M. Klein",
        "写真：本社提供",
    ],
    "read more": [
        "En savoir plus...",
        "Mehr erfahren",
        "Read more: The other tunnel",
        "Learn more",
        "Read also: Other news",
        "Подробнее",
    ],
    "back link": [
        "ページトップに戻る",
        "Older posts",
        "Back to top",
        "« Back to list",
        "Next article: Winter",
        "Nach oben",
        "一覧へ戻る",
    ],
    "tags": ["Tags: ferries, islands", "Keywords: tide", "#harbour #boats", "Теги: море"],
    "counters": [
        "Views: 1204",
        "1,204 views",
        "3 min read",
        "3 Minuten Lesezeit",
        "Lesedauer: 2 Min.",
        "News ID: 48213",
        "Short URL: https://x.example/1",
    ],
    "comments": [
        "No comments:",
        "Post a Comment",
        "12 Kommentare",
        "Mostrar comentarios",
        "Оставить комментарий",
        "הוספת תגובה",
        "댓글 쓰기",
    ],
    "social": ["Громада у соцмережах:", "Síguenos en el canal del puerto", "Bizi takip edin", "Följ oss"],
    "player and font size": ["Cargando siguiente contenido...", "Text Size:", "Размер шрифта:", "文字サイズ"],
    "credits": [
        "(By Joseph Yeh)",
        "Editor: Wang Xin",
        "Reporting by Ann Lee",
        "责任编辑：王新",
        "- Written by: Ann Lee, Staff Editor",
        "Rubrik: Hafen",
        "Mit Agenturmaterial.",
    ],
    "embargo": [
        "EMBARGOED UNTIL 00:01 GMT, 2 APRIL 2025",
        "Embargo: 5 May, noon",
        "Sperrfrist: 5. Mai, 12 Uhr",
    ],
    "notice": [
        "The views expressed are those of the author.",
        "This page was last updated on Monday",
        "Source: Xinmin",
    ],
    "plumbing": [
        "https://www.example.org/a/b",
        "Toggle navigation",
        "Loading...",
        "Welcome to the harbour of Brinehaven",
        "港長室へようこそWelcome to the office",
        "Please enable JavaScript to go on",
    ],
    "release number": [
        "PRESS RELEASE No. 87/2025",
        "No. 345",
        "Release Number 20251019-02",
        "IP/25/123",
        "(Release ID: 10987)",
    ],
    "kind of release": [
        "FOR IMMEDIATE RELEASE",
        "Press Release",
        "Readout",
        "Pressemitteilung",
        "Pranešimas spaudai",
        "보도자료",
    ],
    "related": [
        "Mehr News aus Vestby",
        "Más popular",
        "Related articles",
        "Most read",
        "More from this section",
        "関連記事",
        "Weitere Meldungen",
    ],
    "contact": [
        "Media Contact:",
        "Contacts",
        "Pressekontakt:",
        "Kontaktai žiniasklaidai:",
        "お問い合わせ先",
        "For more information",
    ],
}
SPARES = [
    "Comments by the harbour master were read out to the council.",
    "Follow-up of the storm: three piers are closed",
    "{Curly} brackets are allowed in a title, the editor says",
    "The newsletter of the club has appeared every month since March 1925.",
    "Join us for the opening of the bridge, said the mayor of Lund.",
    "Share prices fell after the announcement, and the company said it would wait.",
    "Contact with the ship was lost at noon, and regained in the evening.",
    "The minister will print the list of members and email it to all of them.",
    "Cookies were served by the treasurer.",
    "The Commission wants simpler rules for cookies on websites.",
    "The end of the road is near Lund",
    "More than 300 people were saved",
    "Home care for the elderly will be free of charge from January.",
    "Copyright law must change, the authors say, and soon.",
    "Related industries will feel the change in about a year, the institute expects.",
    "Photographs of the storm were shown in the town hall.",
    "30 ships were built, 12 of them in Ness.",
    "No. The minister was clear about that from the first day.",
    "Statement of the government on the flood",
    "Source of the river found after all",
    "Embargo on fish exports lifted",
    "Follow the river to the sea, the old sailors say",
    "“We use cookies as bait,” the trapper said.",
]


@pytest.mark.parametrize(("rule", "line"), [(rule, line) for rule, lines in FITS.items() for line in lines])
def test_a_line_of_furniture_matches_its_rule(rule: str, line: str) -> None:
    kinds = {name: kind for name, kind, _ in RULES}

    assert kind_of(line) == (rule, kinds[rule])


def test_every_rule_has_its_examples() -> None:
    assert {name for name, _, _ in RULES} == set(FITS)


@pytest.mark.parametrize("line", SPARES)
def test_prose_matches_no_rule_whatever_its_words(line: str) -> None:
    assert kind_of(line) == ("text", Kind.TEXT)


@pytest.mark.parametrize(
    "line",
    [
        "Share on Facebook Twitter LinkedIn",
        "Print | Email | Share",
        "Facebook",
        "Dalintis",
        "Поделиться",
        "シェアする",
    ],
)
def test_share_and_print_buttons_are_a_share_bar(line: str) -> None:
    assert kind_of(line) == ("share bar", Kind.FURNITURE)


@pytest.mark.parametrize(
    "line", ["Menu", "EN | LT | RU", "Imprint | Privacy | Contact", "Naujienos", "ホーム", "About us"]
)
def test_entries_of_a_menu_are_furniture_only_at_the_edges(line: str) -> None:
    assert kind_of(line) == ("menu", Kind.WEAK)


@pytest.mark.parametrize(
    "line",
    [
        "Tel. +999 555 0163",
        "press@ness.example",
        "E-mail: press@ness.example",
        "Phone: (555) 010-0199",
        "電話：099-555-0111",
    ],
)
def test_a_line_with_only_an_address_or_number_is_recognised(line: str) -> None:
    assert kind_of(line) == ("reach", Kind.REACH)


def test_a_date_is_no_telephone_number() -> None:
    assert kind_of("01.09.2025 14:07") == ("text", Kind.TEXT)


def test_a_contact_heading_may_have_its_contact_on_the_same_line() -> None:
    assert is_contact_line("Media Contact: Ann Lee, ann@halden.example")
    assert not is_contact_line(
        "The contact: a story of two sailors who met in the fog and never parted again"
    )


@pytest.mark.parametrize(
    "line",
    [
        "$(function(){Rotate([[function() {setBanner('68f2','/a/b.jpg',18504,'Pier',true,'');},15]]);})",
        '[{"id":12,"title":"Pier","tags":null,"link":"/pier/12"},{"id":13,"title":"Tower","tags":null}]',
        ".header{color:#fff;margin:0 0 4px} .menu{display:none}",
        "{{ comment.number }}",
    ],
)
def test_a_line_of_a_script_is_furniture_however_long_it_is(line: str) -> None:
    assert kind_of(line) == ("code", Kind.FURNITURE)
    assert kind_of(line * 9) == ("code", Kind.FURNITURE)


def test_a_caption_ends_with_the_agency_and_the_photographer() -> None:
    assert kind_of("The president at the hearing, 12 March 2019. HNB/ADA FINCH") == ("credit", Kind.FURNITURE)
    assert kind_of("The council spoke about TCP/IP and HTML")[1] is Kind.TEXT


def test_an_address_with_bullets_and_a_number_is_no_text() -> None:
    assert kind_of("Harbour House • 3 Quay Road • Brinehaven 12999 • 555/010-0144")[1] is Kind.REACH
    assert kind_of("【報道関係お問い合わせ先】 北浜町船具 TEL：03-5550-1010")[1] is Kind.CONTACT
