"""Templates are checked with samples in every language, and attacks on them are refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.errors import TemplateInvalid
from newsletter.identity import Identity, Texts
from newsletter.links import Links
from newsletter.messages.digests.render import NewsletterRenderer
from newsletter.messages.templates.parts import BLOCKS, PARTS, OwnTemplates, usual_sources
from newsletter.messages.templates.process import template_process
from newsletter.models import Frequency
from newsletter.newsletters.templates.check import check_templates
from newsletter.newsletters.templates.samples import SAMPLES, render_parts
from newsletter.runtime import email_templates

USUAL = dict(usual_sources(email_templates().folder))
WHY = "{{ reason }}"


@pytest.fixture(scope="module")
def renderer() -> NewsletterRenderer:
    identity = Identity(
        1, "news", 1, "a@example.org", "A", None, "Quay 7, Port", ("en",), "UTC", Frequency.WEEKLY, 0, {},
        {"en": Texts("Harbour & Sons", "What happens")},
    )  # fmt: skip
    return NewsletterRenderer(email_templates(), Links("https://news.example.org"), identity)


def refused(renderer: NewsletterRenderer, **changed: str) -> list[tuple[str, int, str]]:
    """Return what is wrong with the usual templates if some parts are changed."""
    with pytest.raises(TemplateInvalid) as found:
        check_templates(renderer, {**USUAL, **changed})
    return list(found.value.faults)


def frame(new: str, old: str = WHY) -> dict[str, str]:
    """Return a changed frame, in which `new` is in place of `old`."""
    assert USUAL["frame_html"].count(old) == 1
    return {"frame_html": USUAL["frame_html"].replace(old, new)}


def added(text: str) -> dict[str, str]:
    """Return a changed frame with a text in line 29, the last one."""
    assert USUAL["frame_html"].count("\n") == 28
    return {"frame_html": USUAL["frame_html"] + text}


def test_the_usual_templates_pass_and_make_the_same_emails_in_the_language_of_templates(
    renderer: NewsletterRenderer,
):
    own = replace(renderer, own=OwnTemplates(1, USUAL), failures=[])

    assert check_templates(renderer, USUAL).keys() == SAMPLES.keys()
    for language in ("en", "lt", "ja", "ar"):
        for sample in SAMPLES.values():
            assert render_parts(own, sample, language) == render_parts(renderer, sample, language)
    assert own.failures == []


@pytest.mark.parametrize("block", BLOCKS)
def test_each_block_must_come_out_exactly_once_in_both_frames(renderer: NewsletterRenderer, block: str):
    written = f"{{{{ {block} }}}}"
    for part in ("frame_html", "frame_text"):
        for new in ("", f"{written}\n{written}", f"{{{{ {block} | upper }}}}"):
            ((where, _, words),) = refused(renderer, **{part: USUAL[part].replace(written, new)})

            assert where == part
            assert written in words


def test_a_block_that_is_missing_in_one_language_only_is_named_with_it(renderer: NewsletterRenderer):
    only = '{% if language == "de" %}{% else %}{{ reason }}{% endif %}'

    ((_, _, words),) = refused(renderer, **frame(only))

    assert "{{ reason }} is missing" in words
    assert "Deutsch" in words


HIDING = {
    "a comment": "<!-- {{ reason }} -->",
    "a comment without an end": "<!-- {{ reason }}",
    "display": "<div style='display:none'>{{ reason }}</div>",
    "display in capitals": "<div style='DISPLAY : NONE'>{{ reason }}</div>",
    "visibility": "<div style='visibility:hidden'>{{ reason }}</div>",
    "hidden": "<div hidden>{{ reason }}</div>",
    "a template": "<template>{{ reason }}</template>",
    "noscript": "<noscript>{{ reason }}</noscript>",
    "a script": "<script>{{ reason }}</script>",
    "a text field": "<textarea>{{ reason }}</textarea>",
    "a title": '<p title="{{ reason }}">x</p>',
    "details": "<details>{{ reason }}</details>",
    "a link": '<a href="https://x.example/">{{ reason }}</a>',
    "our hidden line": '<div class="preheader">{{ reason }}</div>',
    "tiny text": "<div style='font-size:1px'>{{ reason }}</div>",
    "tiny text in a font": "<div style='font:1px serif'>{{ reason }}</div>",
    "an odd unit": "<div style='font-size:0.01vw'>{{ reason }}</div>",
    "a calculation": "<div style='font-size:calc(1px)'>{{ reason }}</div>",
    "the same colour": "<div style='color:#fbfaf7'>{{ reason }}</div>",
    "a transparent colour": "<div style='color:transparent'>{{ reason }}</div>",
    "no opacity": "<div style='opacity:0'>{{ reason }}</div>",
    "off the page": "<div style='position:absolute;left:-9999px'>{{ reason }}</div>",
    "a negative margin": "<div style='margin-left:-9999px'>{{ reason }}</div>",
    "no height": "<div style='max-height:0;overflow:hidden'>{{ reason }}</div>",
    "no width": "<table><tr><td width='1'>{{ reason }}</td></tr></table>",
    "Outlook": "<div style='mso-hide:all'>{{ reason }}</div>",
    "an escape in a style": "<div style='displa\\79:none'>{{ reason }}</div>",
}


@pytest.mark.parametrize("name", HIDING)
def test_a_line_that_must_be_seen_cannot_be_hidden(renderer: NewsletterRenderer, name: str):
    assert refused(renderer, **frame(HIDING[name]))


@pytest.mark.parametrize(
    ("part", "css"),
    [
        ("styles", ".foot { display: none }"),
        ("styles", ".foot { font-size: 2px }"),
        ("styles", ".foot, .foot a { color: #fbfaf7 }"),
        ("styles", ".foot, .foot p, .foot a { color: #111; background: #000 }"),
        ("styles", "@media all { .foot { color: #fff } }"),
        (
            "dark_styles",
            "@media (prefers-color-scheme: dark) { .foot, .foot a { color: #161513 !important } }",
        ),
        ("dark_styles", "@media (max-width: 480px) { .foot, .foot a { color: #fbfaf7 !important } }"),
        ("dark_styles", "@media (max-width: 480px) { .foot { display: none !important } }"),
    ],
)
def test_a_style_sheet_cannot_hide_a_line(renderer: NewsletterRenderer, part: str, css: str):
    assert refused(renderer, **{part: USUAL[part] + css})


OUTSIDE = {
    "an image": "<img src='https://evil.example/pixel.gif'>",
    "an image in a style": "<p style='background:url(https://evil.example/x)'>x</p>",
    "a style element": "<style>p { color: red }</style>",
    "a link element": "<link rel=stylesheet href='https://evil.example/x.css'>",
    "a frame": "<iframe src='https://evil.example/'></iframe>",
    "a script": "<script>alert(1)</script>",
    "an event": "<p onclick='alert(1)'>x</p>",
    "a script in a link": "<a href='javascript:alert(1)'>x</a>",
    "a script in a link with a break": "<a href='java\nscript:alert(1)'>x</a>",
    "data": "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "a form": "<form action='https://evil.example/'><input name=a></form>",
    "an object": "<object data='https://evil.example/'></object>",
    "SVG": "<svg onload='alert(1)'></svg>",
    "MathML": "<math><mi xlink:href='https://evil.example/'>x</mi></math>",
    "a base": "<base href='https://evil.example/'>",
    "a refresh": "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "the end of the document": "</body></html><p>x</p><!doctype html>",
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_nothing_may_run_or_load_in_an_email(renderer: NewsletterRenderer, name: str):
    faults = refused(renderer, **added(OUTSIDE[name]))

    assert {line for _, line, _ in faults} <= {0, 29, 30}


@pytest.mark.parametrize(
    "css",
    [
        ".x { background: url(https://evil.example/x) }",
        "@import 'https://evil.example/x.css';",
        "@font-face { font-family: x; src: url(https://evil.example/x) }",
        ".x { background: \\75rl(https://evil.example/x) }",
        "</style><script>alert(1)</script>",
        ".x { width: expression(alert(1)) }",
        ".x { behavior: url(x.htc) }",
    ],
)
def test_a_style_sheet_loads_nothing(renderer: NewsletterRenderer, css: str):
    faults = refused(renderer, styles=USUAL["styles"] + css)

    assert {part for part, _, _ in faults} == {"styles"}
    assert {line for _, line, _ in faults} == {USUAL["styles"].count("\n") + 1}


ATTACKS = {
    "classes": "{{ ''.__class__.__mro__ }}",
    "classes by a filter": "{{ site | attr('__class__') }}",
    "classes by an item": "{{ site['__class__'] }}",
    "globals of a function": "{{ _.__globals__ }}",
    "globals of a loop": "{% for x in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "a call of a loop": "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "the context": "{{ self._TemplateReference__context }}",
    "a long range": "{% for x in range(10**9) %}x{% endfor %}",
    "a power": "{{ 10**10**10 }}",
    "a long text": "{{ 'x' * 10**9 }}",
    "a format": "{{ '%999999999s' | format('x') }}",
    "a format of a text": "{{ 'x%999999999s'.format(1) }}",
    "a translation with values": "{{ _('%(a)999999999s', a=1) }}",
    "a macro": "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "a file": "{% include '/etc/passwd' %}",
    "a template": "{% include 'digest/frame.html' %}",
    "another frame": "{% extends 'layout.html' %}",
    "an import": "{% import 'digest/frame.html' as x %}",
    "the environment": "{{ environ }}{{ config }}",
    "a namespace": "{% set n = namespace(a=1) %}",
    "deep brackets": "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "deep lists": "{{ " + "[" * 3000 + "]" * 3000 + " }}",
    "a mark of ours": "\ue000reason\ue002",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_template_reaches_nothing_but_its_values(renderer: NewsletterRenderer, name: str):
    faults = refused(renderer, **added(ATTACKS[name]))

    assert not any("root:" in words for _, _, words in faults)


def bombs() -> Iterator[tuple[str, str]]:
    loops = "".join(f"{{% for c{at} in site.name %}}" for at in range(9))
    yield "loops that show nothing", loops + "{% set x = 1 %}" + "{% endfor %}" * 9
    yield "loops that show much", loops + "x" * 40 + "{% endfor %}" * 9
    yield "doubling", "{% set a = site.name %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}"
    yield "doubling without showing it", "{% set a = site.name %}" + "{% set a = a ~ a %}" * 60
    yield "wrapping a long text", "{% set a = site.name %}" + "{% set a = a ~ a %}" * 22 + "{{ a | wrap }}"


@pytest.mark.parametrize(("name", "text"), list(bombs()))
def test_a_bomb_ends_at_a_limit_and_the_next_templates_are_checked(
    renderer: NewsletterRenderer, name: str, text: str
):
    ((_, _, words),) = refused(renderer, **added(text))

    assert "too much time or memory" in words or "characters" in words
    assert template_process().ask({"what": "check", "sources": USUAL}) == {"faults": []}


def test_the_text_of_a_release_cannot_leave_its_place(renderer: NewsletterRenderer):
    """A title that stands in an attribute without quotes would add attributes, such as onclick."""
    bare = USUAL["release_html"].replace('class="meta"', "class={{ release.title }}")

    assert refused(renderer, release_html=bare)
    page = check_templates(renderer, USUAL)["ten"].html
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page


@pytest.mark.parametrize("part", ["release_html", "release_text"])
def test_the_link_of_a_release_must_come_out(renderer: NewsletterRenderer, part: str):
    ((where, _, words),) = refused(
        renderer, **{part: USUAL[part].replace("{{ release.url }}", "https://x.example/")}
    )

    assert where == part
    assert "{{ release.url }}" in words


def test_a_syntax_error_and_an_unknown_name_are_named_with_their_lines(renderer: NewsletterRenderer):
    assert refused(renderer, **added("\n\n{% if %}"))[0][:2] == ("frame_html", 31)
    unknown = refused(renderer, **added("\n{{ nothing }}"))
    assert unknown == [("frame_html", 30, "'nothing' is undefined.")]


def test_templates_that_make_long_emails_are_refused(renderer: NewsletterRenderer):
    long = USUAL["release_html"] + "<p>" + "x" * 4_000 + "</p>"

    assert "51,200" in refused(renderer, release_html=long)[0][2]
    assert "16,000" in refused(renderer, release_html="x" * 16_001)[0][2]
    assert "48,000" in refused(renderer, **dict.fromkeys(PARTS, "é" * 8_000))[0][2]


def test_the_process_has_no_secret(renderer: NewsletterRenderer):
    check_templates(renderer, USUAL)

    environment = Path(f"/proc/{template_process().isolated.pid}/environ").read_bytes()
    assert b"NEWSLETTER" not in environment
