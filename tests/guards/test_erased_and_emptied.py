"""Guard: every use of `erased_at` was checked for people whose address was only emptied by age."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

# The files that may use `erased_at`, and how often. If you add a use, write here what it does with a person
# whose address was only emptied because of its age (`emptied_at`).
MENTIONS = {
    # Defines both columns and the text that pages show for them.
    "newsletter/models/tables/subscriber.py": 3,
    # The trigger: the details of an entry may be emptied only if the person was erased.
    "newsletter/models/tables/consent.py": 1,
    # Sets it, and records the erasure once.
    "newsletter/subscribers/privacy/erase.py": 3,
    # SubscriberState: ERASED is a person who was erased. A person whose address was emptied is ENDED. The
    # admin page shows both times.
    "newsletter/subscribers/queries.py": 3,
    # `_entries_whole`, and the profile, which has both times.
    "newsletter/subscribers/consent/record.py": 3,
    # The details of an erased person may be empty. The entries of others are checked completely.
    "newsletter/subscribers/consent/signature.py": 1,
    "newsletter/subscribers/consent/head.py": 3,
    # Both times, with their words.
    "newsletter/cli/subscriber.py": 2,
    "templates/admin/subscriber.html": 4,
    "templates/admin/subscriber_consent.html": 2,
}


def mentions(name: str) -> dict[str, int]:
    found = {}
    for folder, pattern in (("newsletter", "**/*.py"), ("templates", "**/*")):
        for path in (ROOT / folder).glob(pattern):
            if path.is_file():
                count = len(re.findall(rf"\b{name}\b", path.read_text("utf-8")))
                if count:
                    found[str(path.relative_to(ROOT))] = count
    return found


def test_every_place_that_looks_at_erased_at_was_looked_at_for_emptied_people():
    assert mentions("erased_at") == MENTIONS


def test_whether_somebody_can_be_emailed_is_asked_of_the_address_and_of_neither_time():
    for folder in ("outbox", "messages", "digest", "subscribers/privacy/retention", "bounces", "jobs"):
        for path in (ROOT / "newsletter" / folder).glob("**/*.py"):
            assert not re.search(r"\b(erased|emptied)_at\b(?!.*Issue)", _about_people(path)), path


def _about_people(path: Path) -> str:
    """Return the lines of a module that are about people, not about `emptied_at` of an issue."""
    lines = path.read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if "Subscriber" in line or "person." in line)
