"""The language of templates. Attacks on it are in newsletters/templates/test_check.py."""

from __future__ import annotations

from datetime import date

import pytest

from newsletter.messages.templates.language import MOST_OUTPUT, Refused, fill

VALUES = {"release": {"title": "A & B", "day": date(2026, 3, 10), "summary": "One.\n\nTwo."}}


def test_values_are_escaped_in_html_only():
    assert fill("{{ release.title }}", "en", VALUES, is_html=True) == "A &amp; B"
    assert fill("{{ release.title }}", "en", VALUES, is_html=False) == "A & B"


def test_loops_conditions_dates_and_words_by_language():
    source = (
        "{% for each in release.summary | paragraphs %}{{ loop.index }} {{ each }} {% endfor %}"
        '{{ release.day | date("full") }} {{ {"de": "Hallo"}[language] | default("Hello") }}'
    )

    assert fill(source, "en", VALUES, is_html=False) == "1 One. 2 Two. Tuesday, March 10, 2026 Hello"
    assert fill(source, "de", VALUES, is_html=False).endswith("Dienstag, 10. März 2026 Hallo")


def test_known_words_are_translated_and_have_no_values():
    assert fill('{{ _("Read more") }}', "de", {}, is_html=True) != "Read more"
    assert fill('{{ _("100 %(a)s <b>") }}', "en", {}, is_html=True) == "100 %(a)s &lt;b&gt;"


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("a\nb\n{{ x }}", 3, "'x' is undefined."),
        ("a\n{{ release.title | safe }}", 2, "no filter “safe”"),
        ("a\n\n{% block x %}{% endblock %}", 3, "not part of the language"),
        ('\n{{ release.day | date("yyyy") }}', 2, "no style of dates"),
        ("\n{{ release.title | date }}", 2, ""),
        ("{% if a %}", 1, "Unexpected end"),
    ],
)
def test_a_fault_has_its_line(source: str, line: int, words: str):
    with pytest.raises(Refused) as found:
        fill(source, "en", VALUES, is_html=True)

    assert found.value.line == line
    assert words in found.value.words


def test_a_text_that_becomes_too_long_is_refused():
    loops = "{% for a in t %}{% for b in t %}{% for c in t %}xxxxx{% endfor %}{% endfor %}{% endfor %}"

    with pytest.raises(Refused, match=f"{MOST_OUTPUT:,}"):
        fill(loops, "en", {"t": "x" * 100}, is_html=False)
