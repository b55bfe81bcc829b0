"""Check templates with sample issues in every language, before they are saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from newsletter.errors import TemplateInvalid
from newsletter.languages import LANGUAGES, language_name
from newsletter.messages.digests.render import NewsletterRenderer
from newsletter.messages.templates.parts import MOST_CHARACTERS, PARTS, OwnTemplates
from newsletter.messages.templates.process import template_process
from newsletter.newsletters.templates.samples import SAMPLES, SampleEmail, render_sample

# Bytes of the sample with ten releases. Gmail cuts off HTML above 102,400, and issues can have more releases.
HTML_BUDGET_BYTES = 51_200
# A language that is written from right to left, so that a template fits one that is added later.
_ALSO = ("ar",)
# Bytes of all parts together, which a form can carry.
MOST_BYTES = 48_000


def check_templates(renderer: NewsletterRenderer, sources: Mapping[str, str]) -> Mapping[str, SampleEmail]:
    """Return the sample issues in the newsletter's first language. Raises TemplateInvalid.

    `sources` has the parts that are not the usual ones.
    """
    _check_sizes(sources)
    template_process().ask({"what": "check", "sources": dict(sources)})
    languages = list(dict.fromkeys([*renderer.languages, *LANGUAGES, *_ALSO]))
    shown: dict[str, SampleEmail] = {}
    for language in languages:
        made = {name: try_sample(renderer, sources, name, language) for name in SAMPLES}
        shown = shown or made
        pages = [each.html for each in made.values()]
        _check_visible(renderer, language, pages)
    _check_budget(shown["ten"])
    return shown


def fault_sentences(fault: TemplateInvalid) -> list[str]:
    """Return a sentence for each fault, with its part and line. Pure."""
    sentences = []
    for part, line, words in fault.faults:
        label = PARTS[part].label if part in PARTS else ""
        place = f"{label}, line {line}: " if line and label else f"{label}: " if label else ""
        sentences.append(place + words)
    return sentences


def try_sample(
    renderer: NewsletterRenderer, sources: Mapping[str, str], name: str, language: str
) -> SampleEmail:
    """Return a sample issue with templates that need not be saved. Raises TemplateInvalid."""
    _check_sizes(sources)
    tried = replace(renderer, own=OwnTemplates(1, dict(sources)), failures=[])
    made = render_sample(tried, SAMPLES[name], language)
    for fault in tried.failures:
        raise TemplateInvalid(_in_language(fault, renderer, language))
    return made


def _check_visible(renderer: NewsletterRenderer, language: str, pages: list[str]) -> None:
    try:
        template_process().ask({"what": "visible", "pages": pages})
    except TemplateInvalid as fault:
        raise TemplateInvalid(_in_language(fault, renderer, language)) from fault


def _in_language(
    fault: TemplateInvalid, renderer: NewsletterRenderer, language: str
) -> list[tuple[str, int, str]]:
    """Return the faults, with the name of the language in which they came up if it is not the first."""
    if language == renderer.languages[0]:
        return list(fault.faults)
    named = f"(In the sample in {language_name(language)}.)"
    return [(part, line, f"{words} {named}") for part, line, words in fault.faults]


def _check_sizes(sources: Mapping[str, str]) -> None:
    faults = [
        (part, 0, f"It has {len(source):,} characters; at most {MOST_CHARACTERS:,} are allowed.")
        for part, source in sources.items()
        if len(source) > MOST_CHARACTERS
    ]
    total = sum(len(source.encode()) for source in sources.values())
    if total > MOST_BYTES:
        faults.append(("", 0, f"All parts have {total:,} bytes; at most {MOST_BYTES:,} are allowed."))
    unknown = sources.keys() - PARTS.keys()
    faults += [("", 0, f"There is no part {name}.") for name in sorted(unknown)]
    if faults:
        raise TemplateInvalid(faults)


def _check_budget(sample: SampleEmail) -> None:
    if sample.html_bytes > HTML_BUDGET_BYTES:
        words = (
            f"The sample with ten releases has {sample.html_bytes:,} bytes of HTML. At most "
            f"{HTML_BUDGET_BYTES:,} are allowed, because Gmail cuts off long emails."
        )
        raise TemplateInvalid([("frame_html", 0, words)])
