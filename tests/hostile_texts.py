"""Releases that are expensive to parse: kinds by name, of any size. Pure."""

from __future__ import annotations

from collections.abc import Callable

HEAD = "Harbour opens new quay\n\nHAMBURG, 3 March 2026 - The port opened a quay today, its owner said.\n\n"


def _lines(line: str) -> Callable[[int], str]:
    return lambda size: (line + "\n") * (size // (len(line.encode()) + 1))


def _run(piece: str) -> Callable[[int], str]:
    return lambda size: piece * (size // len(piece.encode()))


def _few_long_lines(piece: str) -> Callable[[int], str]:
    def make(size: int) -> str:
        line = piece * (40_000 // len(piece.encode()))
        return "\n\n".join([line] * max(1, size // 40_000))

    return make


def _different_lines(make: Callable[[str], str]) -> Callable[[int], str]:
    """Make lines that differ, so that no cache of lines helps. Each has a number written as a word."""

    def all_lines(size: int) -> str:
        lines, length = [], 0
        while length < size:
            line = make(format(len(lines), "x").translate(str.maketrans("0123456789", "ghijklmnop")))
            length += len(line.encode()) + 1
            lines.append(line)
        return "\n".join(lines[:-1])

    return all_lines


# Each kind of hostile text is an ordinary headline, and below it a string that is repeated many times.
KINDS: dict[str, Callable[[int], str]] = {
    "ampersands": _run("&"),
    "less-than": _run("<"),
    "entities": _run("&amp;"),
    "open-tags": _run("<b>"),
    "tags-cut-short": _run("<b "),
    "other-tags": _run("<x>"),
    "comments": _run("<!--"),
    "quotes": _run('"'),
    "spaces": _run(" "),
    "spaces-and-dots": _run(" ."),
    "no-break-spaces": _run("\u00a0"),
    "dashes": _run("-"),
    "bullets": _lines("- x"),
    "empty-bullets": _lines("-"),
    "one-word": _run("a"),
    "words": _run("word "),
    "capitals": _run("A"),
    "capital-words": _run("Aa "),
    "digits": _run("1"),
    "dates": _run("3 March 2026 "),
    "numbers-and-dots": _run("1.1."),
    "commas": _run(","),
    "addresses": _run("a@b.c "),
    "at-signs": _run("@"),
    "urls": _run("http://a.b/c "),
    "slashes": _run("/"),
    "colons": _lines("Contact:"),
    "end-marks": _lines("# # #"),
    "about": _lines("About us"),
    "copyright": _lines("(c) 2026 Port"),
    "brackets": _run("("),
    "line-ends": lambda size: "\n" * min(size, 40_000) + "x" * max(0, size - 40_000),
    "tabs": _run("\t"),
    "combining": _run("e\u0301"),
    "ligatures": _run("\ufdfa"),
    "squared-words": _run("\u3316"),
    "marks-out-of-order": _run("\u0301\u0323"),
    "marks-in-one-character": _run("\u0f73"),
    "syllables": _run("\u1100\u1161\u11a8"),
    "ideographs": _run("\u6c34"),
    "mojibake": _run("\u00c3\u00a4"),
    "replacement": _run("\ufffd"),
    "dateline": _few_long_lines("HAMBURG, March 3 - "),
    "sentences": _few_long_lines("It is. "),
    "long-lines-of-ampersands": _few_long_lines("&"),
    "tickers": _few_long_lines("(NYSE: ABC) "),
    "short-lines": _different_lines(lambda word: f"Pier {word} opens for ships today"),
    "rows": _different_lines(lambda word: f"Quay {word} | 12 ships | 4 cranes"),
    "ideographic-rows": _different_lines(
        lambda word: f"\u7801\u5934{word} | \u5341\u4e8c\u8258\u8239 | \u56db\u53f0"
    ),
    "limited": _few_long_lines("Port Ltd. "),
}


def text_of(kind: str, size_bytes: int) -> str:
    """Return a release of one hostile kind, of about `size_bytes` bytes and never more."""
    return HEAD + KINDS[kind](size_bytes - len(HEAD.encode()))
