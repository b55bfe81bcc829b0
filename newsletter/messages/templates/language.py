"""The language of an owner's templates: a small part of Jinja2, compiled in its sandbox.

The sandbox limits no loop and no memory. So a template may use only what is listed here, and nothing reaches
an attribute of a Python object. The process that fills templates has limits (process.py).
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache, partial
from typing import Any, NamedTuple

from babel import Locale
from babel.dates import format_date
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from newsletter.languages import parse_language, translations
from newsletter.mail.plaintext import shorten, wrap
from newsletter.mail.templates import paragraphs, text_sides, without_marks

# Characters that one part may become.
MOST_OUTPUT = 150_000

_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
    nodes.If, nodes.For, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.And, nodes.Or,
    nodes.Not, nodes.Concat, nodes.CondExpr, nodes.Assign, nodes.Dict, nodes.Pair, nodes.List, nodes.Tuple,
    nodes.Call, nodes.Keyword,
)  # fmt: skip
_FILTERS = {"date", "default", "join", "length", "lower", "paragraphs", "shorten", "trim", "upper", "wrap"}
_TESTS = {"defined", "undefined"}
_LOOP = {"first", "last", "index", "length"}
_DATE_STYLES = ("full", "long", "medium", "short")


class TemplateFault(NamedTuple):
    """What is wrong with a part. `line` is that of its source, 0 if it is not known."""

    part: str
    line: int
    words: str


class Refused(Exception):
    """A template cannot be used: `line` and `words` as in TemplateFault."""

    def __init__(self, line: int, words: str) -> None:
        self.line = line
        self.words = words
        super().__init__(words)


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, in which a name after a dot is a key of our own values, never an attribute."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a value by its name."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        return self.undefined(name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return a value by its name or place."""
        if isinstance(obj, dict) and isinstance(argument, str) and argument in obj:
            return obj[argument]
        if isinstance(obj, list) and isinstance(argument, int) and -len(obj) <= argument < len(obj):
            return obj[argument]
        return self.undefined(name=str(argument))


def fill(source: str, language: str, values: Mapping[str, Any], *, is_html: bool) -> str:
    """Return the output of a template with these `values`. Raises Refused."""
    template = compile_template(source, language, is_html)
    made: list[str] = []
    length = 0
    try:
        for piece in template.generate(dict(values)):
            length += len(piece)
            if length > MOST_OUTPUT:
                raise Refused(0, f"It becomes longer than {MOST_OUTPUT:,} characters.")
            made.append(piece)
    except (Refused, MemoryError):
        raise
    except Exception as fault:
        # Whatever values provoke in a filter is a fault of the template.
        raise Refused(_line_of(fault), _sentence(fault)) from fault
    return "".join(made)


@lru_cache(maxsize=256)
def compile_template(source: str, language: str, is_html: bool) -> Template:
    """Return a template that uses nothing but the allowed language. Raises Refused."""
    environment = _environment(language, is_html)
    try:
        tree = environment.parse(source)
        found = list(_nodes_of(tree))
        for node in found:
            _check_kind(node)
        for node in found:
            _check(node)
        return environment.from_string(tree)
    except TemplateSyntaxError as fault:
        raise Refused(fault.lineno, _sentence(fault)) from fault
    except TemplateError as fault:
        raise Refused(0, _sentence(fault)) from fault
    except RecursionError:
        raise Refused(0, "It is nested too deeply.") from None


def _nodes_of(tree: nodes.Node) -> Iterator[nodes.Node]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.iter_child_nodes())


def _check_kind(node: nodes.Node) -> None:
    """Raise Refused if a template may not have a node of this kind."""
    if not isinstance(node, _ALLOWED):
        words = _STATEMENTS.get(type(node).__name__, "This is not part of the language of templates.")
        raise Refused(node.lineno, words)


def _check(node: nodes.Node) -> None:
    """Raise Refused if a template may not have this node."""
    if isinstance(node, nodes.Call):
        _check_call(node)
    elif isinstance(node, nodes.Filter) and node.name not in _FILTERS:
        raise Refused(
            node.lineno, f"There is no filter “{node.name}”. The filters are: {', '.join(sorted(_FILTERS))}."
        )
    elif isinstance(node, nodes.Test) and node.name not in _TESTS:
        raise Refused(node.lineno, f"There is no test “{node.name}”.")
    elif isinstance(node, nodes.For) and node.recursive:
        raise Refused(node.lineno, "A loop cannot be recursive.")
    elif isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
        raise Refused(node.lineno, f"There is no value “{node.attr}”.")
    elif isinstance(node, nodes.Const) and isinstance(node.value, int) and abs(node.value) > 1_000_000:
        raise Refused(node.lineno, "This number is too large.")


_STATEMENTS = {
    "Include": "A template cannot include another one.",
    "Import": "A template cannot import another one.",
    "FromImport": "A template cannot import another one.",
    "Extends": "A template cannot extend another one.",
    "Macro": "A template cannot have macros.",
    "CallBlock": "A template cannot have macros.",
    "Mul": "A template cannot calculate.",
    "Pow": "A template cannot calculate.",
    "Add": "A template cannot calculate. To join texts, write ~ between them.",
    "Mod": "A template cannot calculate.",
}


def _check_call(node: nodes.Call) -> None:
    translates = isinstance(node.node, nodes.Name) and node.node.name == "_"
    plain = len(node.args) == 1 and isinstance(node.args[0], nodes.Const) and not node.kwargs
    if not translates or not plain or node.dyn_args or node.dyn_kwargs:
        raise Refused(node.lineno, "A template cannot call functions, but _(“a text”), which translates.")


@lru_cache(maxsize=64)
def _environment(language: str, is_html: bool) -> _Environment:
    locale = parse_language(language)
    environment = _Environment(
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        optimized=False,
        finalize=without_marks,
    )
    kept = {name: each for name, each in environment.filters.items() if name in _FILTERS}
    own = {"date": partial(_date, locale), "paragraphs": _paragraphs, "shorten": shorten, "wrap": _wrap}
    environment.filters = {**kept, **own}
    environment.tests = {name: each for name, each in environment.tests.items() if name in _TESTS}
    catalogue = translations(language)
    environment.globals = {"_": lambda text: catalogue.gettext(str(text)), **text_sides(locale)}
    return environment


def _date(locale: Locale, day: date, style: str = "long") -> str:
    if not isinstance(day, date):
        raise TemplateError("This is not a date.")
    if style not in _DATE_STYLES:
        raise TemplateError(f"There is no style of dates “{style}”. They are: {', '.join(_DATE_STYLES)}.")
    return format_date(day, style, locale=locale)


def _paragraphs(text: str) -> list[str]:
    return paragraphs(str(text))


def _wrap(text: str, indent: str = "", hang: str | None = None) -> str:
    return wrap(str(text), indent=str(indent), hang=None if hang is None else str(hang))


def _line_of(fault: BaseException) -> int:
    """Return the line of a template in which an exception was raised."""
    frames = traceback.extract_tb(fault.__traceback__)
    lines = [each.lineno or 0 for each in frames if each.filename == "<template>"]
    return lines[-1] if lines else 0


def _sentence(fault: BaseException) -> str:
    words = str(fault) or type(fault).__name__
    return words if words.endswith(".") else f"{words[:1].upper()}{words[1:]}."
