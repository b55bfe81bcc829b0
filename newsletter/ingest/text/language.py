"""Detect the language of a text (BCP 47 primary subtag) by its script and its most common words. Pure."""

from __future__ import annotations

import re

from newsletter.ingest.phrases import read_phrases

_SAMPLE = 20_000
_ASCII = re.compile(r"[\x00-\x7f]+")
_ASCII_LETTER = re.compile(r"[A-Za-z]")
_WORD = re.compile(r"[^\W\d_]+")

# The scripts, each with a pattern that matches one of its characters.
_SCRIPTS = (
    ("latin", re.compile(r"[\u00c0-\u024f\u1e00-\u1eff]")),
    ("cyrillic", re.compile(r"[\u0400-\u052f]")),
    ("kana", re.compile(r"[\u3041-\u30fa]")),
    ("han", re.compile(r"[\u4e00-\u9fff]")),
    ("ko", re.compile(r"[\uac00-\ud7a3]")),
    ("arabic", re.compile(r"[\u0620-\u06d3]")),
    ("he", re.compile(r"[\u05d0-\u05ea]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("th", re.compile(r"[\u0e01-\u0e4e]")),
    ("hi", re.compile(r"[\u0904-\u0939]")),
    ("ka", re.compile(r"[\u10d0-\u10ff]")),
    ("hy", re.compile(r"[\u0531-\u0587]")),
    ("pa", re.compile(r"[\u0a05-\u0a39]")),
    ("gu", re.compile(r"[\u0a85-\u0ab9]")),
    ("te", re.compile(r"[\u0c05-\u0c39]")),
    ("kn", re.compile(r"[\u0c85-\u0cb9]")),
    ("ml", re.compile(r"[\u0d05-\u0d39]")),
    ("bn", re.compile(r"[\u0985-\u09b9]")),
    ("ta", re.compile(r"[\u0b85-\u0bb9]")),
)
# For each language, characters that no other language with the same script uses.
_LETTERS = {
    "latin": (
        *(
            ("lt", "ėįų"),
            ("lv", "āīķļņģ"),
            ("pl", "łśźżń"),
            ("vi", "ơưđạảấếệốộợ"),
            ("tr", "ığş"),
            ("ro", "țșă"),
        ),
        *(
            ("hu", "őű"),
            ("is", "ðþ"),
            ("cs", "ěřů"),
            ("de", "ß"),
            ("es", "ñ¿¡"),
            ("pt", "ãõ"),
            ("fr", "œêçù"),
        ),
    ),
    "cyrillic": (("uk", "іїєґ"), ("be", "ў"), ("sr", "ђћџљњј"), ("mk", "ѓќѕ"), ("kk", "әғқңөұүһ")),
    "arabic": (("ur", "ٹڈڑےں"), ("fa", "پچژگکی")),
}


def _languages() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the languages of each stop word by script. A section of the file is named by both."""
    languages: dict[str, dict[str, tuple[str, ...]]] = {}
    for title, words in read_phrases("stop_words").items():
        script, language = title.split()
        known = languages.setdefault(script, {})
        for word in set(words):
            known[word] = (*known.get(word, ()), language)
    return languages


_LANGUAGES = _languages()
_ORDER = {
    script: [title.split()[1] for title in read_phrases("stop_words") if title.startswith(script)]
    for script in _LANGUAGES
}


def detect_language(text: str) -> str:
    """Return the BCP 47 primary subtag of the language of `text`, or "und" if it is not clear."""
    sample = text[:_SAMPLE]
    counts = dict.fromkeys((name for name, _ in _SCRIPTS), 0)
    beyond = _ASCII.sub("", sample)
    if beyond:
        counts = {name: len(pattern.findall(beyond)) for name, pattern in _SCRIPTS}
    counts["latin"] += len(_ASCII_LETTER.findall(sample))
    # One ideograph counts as several characters of an alphabet.
    counts["kana"] *= 3
    counts["han"] *= 3
    counts["ko"] *= 2
    script = max(counts, key=lambda name: counts[name])
    if counts[script] < 4:
        return "und"
    if script in ("kana", "han"):
        return "ja" if counts["kana"] * 12 > counts["han"] else "zh"
    if script not in _LANGUAGES:
        return script
    return _by_words(script, sample.casefold())


def _by_words(script: str, sample: str) -> str:
    words = _WORD.findall(sample)
    known = _LANGUAGES[script]
    # In the order of the file, because the first of two equal languages wins.
    scores = dict.fromkeys(_ORDER[script], 0.0)
    for word in words:
        for language in known.get(word, ()):
            scores[language] += 1
    for language, letters in _LETTERS.get(script, ()):
        scores[language] = scores.get(language, 0) + 0.5 * sum(sample.count(letter) for letter in letters)
    best = max(scores, key=lambda language: scores[language])
    # In a long text, two or three words may match by chance. A short title may have only one match.
    if scores[best] < max(1.0, len(words) / 25):
        return "und"
    return best
