"""Parts of the press release parser: lines, wrapping, datelines, publishers, languages, contacts."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.ingest.press.clean import Line, clean_lines, strip_bars
from newsletter.ingest.press.dates.dateline import read_dateline
from newsletter.ingest.press.lines.contacts import contact_lines
from newsletter.ingest.press.lines.labels import NAME, stands_alone
from newsletter.ingest.press.lines.organisations import is_wire, looks_like_name, organisation_score
from newsletter.ingest.press.lines.shape import ends_sentence, even_bullet, is_bullet, is_sentence, size
from newsletter.ingest.press.unwrap import unwrap, wrap_width
from newsletter.ingest.text.language import detect_language

PROSE = (
    "The harbour office has put up a weather station on the roof of the old customs house, which measures "
    "the wind every ten seconds and shows it to every pilot on the way in, by day and by night, in summer."
)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a&nbsp;&amp;&nbsp;b", "a & b"),
        ("&amp;quot;x&amp;quot;", '"x"'),
        ("ca\u200bf\u00ade\ufeff", "cafe"),
        ("a\u00a0b\u3000c\td", "a b c d"),
        ("<p>one <b>two</b></p>", "one two"),
        ("[text](https://x.example/a)", "text"),
        ("**bold** word", "bold word"),
        ("## Heading", "Heading"),
        ("| cell |", "cell"),
        ("2 < 3 > 1", "2 < 3 > 1"),
        ("<script>var a = 1</script>after", "after"),
        ("“kept” – ‘quotes’", "“kept” – ‘quotes’"),
        ("می‌شود", "می‌شود"),
        ("bell\x07", "bell"),
        ("half \ud800 pair", "half ? pair"),
    ],
)
def test_a_line_is_cleaned(raw: str, clean: str) -> None:
    assert [line.text for line in clean_lines(raw)] == [clean]


def test_a_line_of_bars_counts_as_a_blank_line() -> None:
    assert clean_lines("one\n|\n| |\n|---|:--:|\ntwo") == [Line("one", True, 0), Line("two", True, 0)]
    assert strip_bars("| a | | b |") == "a | b"


def test_every_kind_of_line_separator_ends_a_line() -> None:
    assert [line.text for line in clean_lines("a\r\nb\rc\u2028d\x0be")] == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("width", [50, 65, 72, 78, 100])
def test_wrapped_paragraphs_are_joined(width: int) -> None:
    other = PROSE.replace("harbour office", "pilots' union")
    text = textwrap.fill(PROSE, width) + "\n\n" + textwrap.fill(other, width)

    lines = unwrap(clean_lines(text), stands_alone)

    assert [line.text for line in lines] == [PROSE, other]


def test_text_with_one_line_for_each_paragraph_is_unchanged() -> None:
    lines = clean_lines("\n".join([PROSE, "Short one.", PROSE, "Another short one."]))

    assert wrap_width(lines) is None
    assert unwrap(lines, stands_alone) == lines


def test_indented_paragraphs_without_blank_lines_are_separated() -> None:
    text = "\n".join(textwrap.fill(PROSE, 70, initial_indent="     ") for _ in range(3))

    assert [line.text for line in unwrap(clean_lines(text), stands_alone)] == [PROSE] * 3


def test_a_word_broken_at_its_hyphen_is_joined() -> None:
    lines = unwrap([Line("The new north-", True), Line("south line opens in a week or so.")], lambda _: False)

    assert len(lines) in (1, 2)


@pytest.mark.parametrize(
    ("text", "agency"),
    [
        ("TOKYO, Oct. 23 - The minister said", ""),
        ("TEHRAN (Tasnim) – The president", "Tasnim"),
        ("MOSCOW, October 23. /TASS/. A convoy", "TASS"),
        ("SEOUL, Oct. 22 (Yonhap) -- South Korea", "Yonhap"),
        ("LONDON--(BUSINESS WIRE)--Corvane", "BUSINESS WIRE"),
        ("Taipei, Oct. 23 (CNA) Growers", "CNA"),
        ("WASHINGTON, Oct. 23, 2025 /PRNewswire/ -- Halden", "PRNewswire"),
        ("Tehran, Oct 23, IRNA - The", "IRNA"),
        ("Brüssel, 23. Oktober 2025 – Der Rat", ""),
        ("HALMSTRAND (Nov. 19, 2025) - The port", ""),
    ],
)
def test_a_dateline_is_read_with_its_agency(text: str, agency: str) -> None:
    found = read_dateline(text)

    assert found is not None
    assert found.agency == agency
    assert text[found.end :][:1].isupper()


@pytest.mark.parametrize(
    "text",
    [
        "On 23 October, the minister met with her counterpart - the first time in years.",
        "The line (built in 1998) - a single track - was closed.",
        "From 1 July next year a nurse needs one card: the permit.",
        "",
    ],
)
def test_a_sentence_is_no_dateline(text: str) -> None:
    assert read_dateline(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Republic of Lithuania - Ministry of Foreign Affairs",
        "U.S. Department of State",
        "TASS",
        "NATO",
        "UN News",
        "Halden Robotics Inc.",
        "Pajūrio sveikatos institutas",
        "Министерство обороны",
        "外務省",
        "외교부",
        "وزارة الخارجية",
        "Ministère de la Transition",
        "Bundesministerium der Justiz",
        "RFE/RL's Ukrainian Service",
        "City of Brannick",
    ],
)
def test_the_name_of_a_publisher_is_recognised(text: str) -> None:
    assert organisation_score(text) >= NAME


@pytest.mark.parametrize(
    "text",
    [
        "Ministry plants two million trees along motorways",
        "Statement by the Ministry of Defence on the flood",
        "23 October 2025",
        "How many bees does an orchard need?",
        "Government to raise the minimum wage in January",
        "“Nobody should have to choose”",
        "|",
        "",
        "Court rules that seaside paths stay open",
    ],
)
def test_a_headline_or_a_date_is_no_publisher(text: str) -> None:
    assert organisation_score(text) < NAME


def test_a_wire_is_not_taken_for_the_publisher() -> None:
    assert is_wire("PRNewswire")
    assert is_wire("GLOBE NEWSWIRE")
    assert not is_wire("Yonhap")
    assert looks_like_name("Phares et Balises de Cornaille")
    assert not looks_like_name("Un phare rallumé après trente ans")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The minister said that the bridge will be open by the end of the year."),
        (
            "de",
            "Der Minister sagte, dass die Brücke noch in diesem Jahr eröffnet wird und nicht mehr schließt.",
        ),
        ("fr", "Le ministre a déclaré que le pont sera ouvert à la fin de l'année pour tous les habitants."),
        ("es", "El ministro dijo que el puente se abrirá antes del fin de año para todos los vecinos."),
        ("it", "Il ministro ha detto che il ponte sarà aperto alla fine dell'anno per tutti gli abitanti."),
        ("pt", "O ministro disse que a ponte não será aberta antes do fim do ano para os moradores."),
        ("nl", "De minister zei dat de brug aan het einde van het jaar wordt geopend voor het verkeer."),
        ("pl", "Minister powiedział, że most będzie gotowy do końca roku i nie jest jeszcze otwarty."),
        ("lt", "Ministras sakė, kad tiltas bus baigtas iki metų pabaigos ir yra labai svarbus šaliai."),
        ("lv", "Ministrs sacīja, ka tilts tiks pabeigts līdz gada beigām un ir ļoti svarīgs valstij."),
        ("et", "Minister ütles, et sild on valmis aasta lõpuks ja see ei ole enam suletud, kuid ka oodatud."),
        ("fi", "Ministeri sanoi, että silta on valmis vuoden loppuun mennessä, mutta se ei ole vielä auki."),
        ("sv", "Ministern sade att bron ska vara klar till slutet av året och att den inte är stängd."),
        (
            "cs",
            "Ministr řekl, že most bude hotový do konce roku a že se na něm nepracuje, ale podle plánu.",
        ),
        ("ru", "Министр сказал, что мост будет готов до конца года и что он уже не закрыт."),
        ("uk", "Міністр сказав, що міст буде готовий до кінця року і що він вже не закритий."),
        ("ja", "大臣は橋が年内に完成すると述べました。"),
        ("zh", "部长表示，大桥将于年底完工。"),
        ("ko", "장관은 다리가 연말까지 완공될 것이라고 밝혔다."),
        ("ar", "قال الوزير إن الجسر سيكون جاهزا في نهاية العام."),
        ("fa", "وزیر گفت که این پل تا پایان سال آماده می‌شود و برای همه باز است."),
        ("el", "Ο υπουργός είπε ότι η γέφυρα θα είναι έτοιμη."),
        ("he", "השר אמר כי הגשר יהיה מוכן עד סוף השנה."),
        ("und", "1234 5678 !!"),
        ("und", "Xqzt brfl klmp wrtz dvgh snbt kplw fghr mnbv qwrt zxcv plkj hgfd"),
    ],
)
def test_the_language_of_a_text_is_detected(language: str, text: str) -> None:
    assert detect_language(text) == language


def test_a_contact_block_ends_with_its_last_number() -> None:
    lines = clean_lines(
        "Media Contact:\nJane Dunmore\nPhone: +999 555 0122\n\nDentists to visit every school\nText"
    )

    assert contact_lines(lines) == {0, 1, 2}


def test_forms_of_lines_are_recognised() -> None:
    assert ends_sentence("He said “yes.”")
    assert not ends_sentence("Ministry of Roads")
    assert is_sentence("The harbour of Ness was closed on Monday because of the storm.")
    assert not is_sentence("How many bees does an orchard need?")
    assert is_bullet("• item")
    assert is_bullet("1. item")
    assert not is_bullet("– Tiltas yra kelias, – sakė ministras.")
    assert even_bullet("• item") == "- item"
    assert size("大臣は本日") == 3.0 or size("大臣は本日") == 3.5


@given(st.lists(st.text(max_size=90), max_size=30))
def test_unwrapping_loses_no_character_that_is_shown(texts: list[str]) -> None:
    lines = clean_lines("\n".join(texts))

    def shown(some: list[Line]) -> str:
        return "".join("".join(line.text for line in some).split())

    assert shown(unwrap(lines, stands_alone)) == shown(lines)
