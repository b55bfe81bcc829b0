"""The subject of a digest from an owner's template, such as `{newsletter}: {headline}{more}`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from newsletter.mail.headers import one_line

# What each field becomes, for people who write a template.
SUBJECT_FIELDS = {
    "headline": "the first headline",
    "more": "how many more there are, such as “, and 9 more”; nothing if there are none",
    "newsletter": "the newsletter's name",
    "date": "the date of the issue",
    "number": "the number of the issue, such as No. 12",
}
LONGEST_TEMPLATE = 200
_FIELD = re.compile(r"\{([^{}]*)\}")


def check_template(template: str) -> str:
    """Return a template without spaces around it; "" stands for the usual subject.

    Raises ValueError with words that follow the name of the field.
    """
    text = template.strip()
    if "\n" in text or "\r" in text:
        raise ValueError("has a line break")
    if len(text) > LONGEST_TEMPLATE:
        raise ValueError(f"has {len(text)} characters; at most {LONGEST_TEMPLATE} are allowed")
    if not text.isprintable():
        raise ValueError("has characters that cannot be printed")
    known = ", ".join(f"{{{name}}}" for name in SUBJECT_FIELDS)
    for name in _FIELD.findall(text):
        if name not in SUBJECT_FIELDS:
            raise ValueError(f"has an unknown field {{{name}}}. The fields are {known}")
    rest = _FIELD.sub("", text)
    if "{" in rest or "}" in rest:
        raise ValueError(f"has a brace that belongs to no field. The fields are {known}")
    if text and not rest.strip() and set(_FIELD.findall(text)) == {"more"}:
        raise ValueError("can be empty. Add {headline}")
    return text


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """Return the subject on one line. A value is inserted as it is, also if it looks like a field."""
    return one_line(_FIELD.sub(lambda found: values[found[1]], template))
