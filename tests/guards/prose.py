"""Check the prose of this project: `make prose` lists banned words, banned names and long sentences.

    python -m guards.prose [PATH ...]

It reads the docstrings, comments and messages of the code, the texts of pages and emails, and the documents.
The banned words are in tests/data/prose/banned.txt, what may stay in exceptions.txt beside it.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "prose"
LONGEST_SENTENCE = 25
# A colon may open a list, and a semicolon join two clauses. More in one sentence is a chain.
MOST_JOINTS = 2
CODE_FOLDERS = ("newsletter", "tests", "benchmarks", "migrations")
# One catalogue is enough: all have the same English texts.
CATALOGUE = ROOT / "newsletter" / "translations" / "de" / "LC_MESSAGES" / "messages.po"
_WORD = re.compile(r"[^\W\d_][\w’'-]*")
_END = re.compile(r"(?<=[.!?])[\"”)’']*\s+(?=[\"“(‘'`]*[A-Z0-9`])|\n\s*\n|\n\s*(?=[-*] |\d+\. )")


class Text(NamedTuple):
    """A piece of prose: the file, its first line there, and what it is."""

    path: Path
    line: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


class Ban(NamedTuple):
    """A banned word, and what to write instead."""

    pattern: re.Pattern[str]
    instead: str


class Rules(NamedTuple):
    """What the data files say. Exceptions: a part of a path, and a part of the text."""

    words: Sequence[Ban]
    names: frozenset[str]
    exceptions: Sequence[tuple[str, str]]

    def allows(self, found: Text, sentence: str) -> bool:
        """Return whether an exception names this sentence."""
        place = str(found.path.relative_to(ROOT))
        return any(path in place and part in sentence for path, part in self.exceptions)


def read_rules(folder: Path = DATA) -> Rules:
    """Return the rules in the two data files of `folder`."""
    words, names = [], set()
    for line in _lines(folder / "banned.txt"):
        if line.startswith("name:"):
            names.add(line.removeprefix("name:").strip())
            continue
        pattern, _, instead = (part.strip() for part in line.partition("->"))
        words.append(Ban(re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.IGNORECASE), instead))
    exceptions = []
    for line in _lines(folder / "exceptions.txt"):
        path, part, _reason = (each.strip() for each in line.split("|", 2))
        exceptions.append((path, part))
    return Rules(words, frozenset(names), exceptions)


def _lines(file: Path) -> Iterator[str]:
    for line in file.read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()


def faults(texts: Iterable[Text], rules: Rules) -> Iterator[str]:
    """Yield a line for each banned word and each sentence that is too long or a chain."""
    for found in texts:
        for sentence in sentences(found.text):
            if rules.allows(found, sentence):
                continue
            for ban in rules.words:
                if hit := ban.pattern.search(sentence):
                    yield f"{found.place}: “{hit[0]}”, write: {ban.instead}: {_short(sentence)}"
            words = len(_WORD.findall(sentence))
            if words > LONGEST_SENTENCE:
                yield f"{found.place}: {words} words: {_short(sentence)}"
            elif len(re.findall(r"[:;](?=\s)", sentence)) > MOST_JOINTS:
                yield f"{found.place}: a chain of colons and semicolons: {_short(sentence)}"


def sentences(text: str) -> list[str]:
    """Return the sentences of a text. Code in backticks counts as one word."""
    plain = re.sub(r"``?[^`]+``?", "Code", text)
    parts = [" ".join(part.split()) for part in _END.split(plain)]
    return [part for part in parts if part]


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= 160 else f"{sentence[:157]}..."


def parsed(path: Path) -> list[ast.AST]:
    """Return all nodes of a Python file, the module first."""
    return list(ast.walk(ast.parse(path.read_text("utf-8"))))


def banned_names(path: Path, nodes: Iterable[ast.AST], names: frozenset[str]) -> Iterator[str]:
    """Yield a line for each module, class or function whose name is banned."""
    if path.stem in names:
        yield f"{path.relative_to(ROOT)}: the module's name"
    for node in nodes:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in names:
            yield f"{path.relative_to(ROOT)}:{node.lineno}: the name {node.name}"


def code_texts(path: Path, nodes: Sequence[ast.AST]) -> Iterator[Text]:
    """Yield the docstrings, comments and messages of a Python file."""
    source = path.read_text("utf-8")
    docstrings = set()
    for node in nodes:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docstrings.add(first.value)
                yield Text(path, first.lineno, _without_listing(ast.get_docstring(node) or ""))
    if "#" in source:
        yield from _comments(path, source)
    if path.is_relative_to(ROOT / "newsletter"):
        yield from _messages(path, nodes, docstrings)


def _without_listing(docstring: str) -> str:
    """Return a docstring without its indented lines, which show commands and tables."""
    return "\n".join("" if line.startswith("    ") else line for line in docstring.splitlines())


def _comments(path: Path, source: str) -> Iterator[Text]:
    """Yield each comment; the lines of a longer one together."""
    block: list[str] = []
    first = last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        words = token.string.lstrip("#: ").strip()
        if words.startswith(("noqa", "type:", "fmt:", "pragma", "!")):
            continue
        words = re.sub(r"\s*#?\s*noqa.*$", "", words)
        if block and token.start[0] != last + 1:
            yield Text(path, first, "\n".join(block))
            block = []
        first = first if block else token.start[0]
        last = token.start[0]
        block.append(words)
    if block:
        yield Text(path, first, "\n".join(block))


def _messages(path: Path, nodes: Sequence[ast.AST], docstrings: set[ast.expr]) -> Iterator[Text]:
    """Yield the texts for people: strings of four words and more. What a pattern or SQL needs is not one."""
    inside = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        text = None
        if isinstance(node, ast.JoinedStr):
            pieces = (str(part.value) if isinstance(part, ast.Constant) else "Value" for part in node.values)
            text = "".join(pieces)
        elif isinstance(node, ast.Constant) and node not in docstrings and node not in inside:
            text = node.value if isinstance(node.value, str) else None
        if text and _is_prose(text):
            yield Text(path, node.lineno, text)


def _is_prose(text: str) -> bool:
    words = _WORD.findall(text)
    odd = sum(text.count(sign) for sign in "\\[]|{}^$<>")
    return len(words) >= 4 and " " in text and odd * 6 < len(text) and not text.isupper()


def catalogue_texts(catalogue: Path = CATALOGUE) -> Iterator[Text]:
    """Yield the English texts of pages and emails."""
    with catalogue.open("rb") as file:
        for message in read_po(file):
            texts = message.id if isinstance(message.id, tuple | list) else (message.id,)
            places = message.locations
            path = ROOT / places[0][0] if places else catalogue
            for text in texts:
                if text:
                    plain = re.sub(r"<[^>]+>|%\(\w+\)\w|%\w", "Value", text)
                    yield Text(path, (places[0][1] or 1) if places else 1, plain)


def document_texts(path: Path) -> Iterator[Text]:
    """Yield the paragraphs and list items of a Markdown file; a table's cells each alone."""
    fenced = False
    block: list[str] = []
    first = 0
    for number, line in enumerate([*path.read_text("utf-8").splitlines(), ""], start=1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            continue
        ends = fenced or not line.strip() or line.startswith(("#", "|", "<", "    "))
        if block and (ends or re.match(r"\s*([-*]|\d+\.) ", line)):
            yield Text(path, first, "\n".join(block))
            block = []
        if line.startswith("|"):
            for cell in line.strip("|").split("|"):
                yield Text(path, number, _without_links(cell))
        elif line.startswith("#"):
            yield Text(path, number, line.lstrip("# "))
        elif not ends:
            first = first if block else number
            block.append(_without_links(re.sub(r"^\s*([-*]|\d+\.) ", "", line)))


def _without_links(text: str) -> str:
    return re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)


def tracked() -> list[Path]:
    """Return the files of this repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def check(paths: Sequence[Path]) -> list[str]:
    """Return what is wrong with the prose of these files."""
    rules = read_rules()
    found: list[str] = []
    for path in paths:
        name = path.relative_to(ROOT)
        if path.suffix == ".py" and (name.parts[0] in CODE_FOLDERS or len(name.parts) == 1):
            nodes = parsed(path)
            found += banned_names(path, nodes, rules.names)
            found += faults(code_texts(path, nodes), rules)
        elif path.suffix == ".md":
            found += faults(document_texts(path), rules)
        elif path == CATALOGUE:
            found += faults(catalogue_texts(path), rules)
    return found


def main(given: Sequence[str]) -> int:
    chosen = [Path(each).resolve() for each in given]
    files = [path for path in tracked() if not chosen or any(path.is_relative_to(each) for each in chosen)]
    found = check(files)
    print("\n".join(found))
    print(f"{len(found)} to rewrite in {len(files)} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
