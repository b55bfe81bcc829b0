"""Measure the CPU time of the fragments of ten releases under ten topics in one language, warm.

`python -m benchmarks.fragments` prints a line of JSON for the usual templates, and one for the same templates
as an owner's. Those are filled by a process with limits, whose CPU time is counted too.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from newsletter.identity import Identity, Texts
from newsletter.links import Links
from newsletter.messages.digests.render import IssueFacts, NewsletterRenderer, Revision, render_edition
from newsletter.messages.templates.parts import OwnTemplates, usual_sources
from newsletter.messages.templates.process import template_process
from newsletter.models import Frequency, Release, Topic
from newsletter.runtime import email_templates

TIMES = 40
SUMMARY = "The harbour authority has opened the new quay, five weeks early and under budget. " * 6


def main() -> None:
    """Print the CPU milliseconds of one language."""
    identity = Identity(
        1, "news", 1, "desk@example.org", "Desk", None, "Quay 7, Port", ("en",), "UTC",
        Frequency.WEEKLY, 0, {}, {"en": Texts("Harbour News", "What happens at the quays")},
    )  # fmt: skip
    usual = NewsletterRenderer(email_templates(), Links("https://news.example.org"), identity)
    own = replace(usual, own=OwnTemplates(1, usual_sources(usual.templates.folder)), failures=[])
    topics = [Topic(id=at, name=f"Topic {at}") for at in range(10)]
    releases = [_revision(at) for at in range(10)]
    issue = IssueFacts("No. 12", date(2026, 3, 10))
    for name, renderer in (("usual", usual), ("own", own)):
        _measure(name, lambda renderer=renderer: render_edition(renderer, issue, "en", topics, releases))  # type: ignore[misc]
    assert not own.failures


def _revision(at: int) -> Revision:
    moment = datetime(2026, 3, 9, tzinfo=UTC)
    release = Release(
        id=at, public_id=f"abcdefgh-{at}", title=f"Sea cable {at} switched on early", publisher="Port",
        summary=SUMMARY, language="en", published_on=moment.date(), published_at=moment, pinned=False,
        email_title="", email_summary="",
    )  # fmt: skip
    return Revision(str(at), release, release)


def _measure(name: str, render: Callable[[], object]) -> None:
    for _ in range(3):
        render()
    began, began_child = time.process_time(), _child_seconds()
    for _ in range(TIMES):
        render()
    here, child = time.process_time() - began, _child_seconds() - began_child
    figures = {"cpu_ms": here + child, "here_ms": here, "template_process_ms": child}
    shown = {key: round(value * 1000 / TIMES, 1) for key, value in figures.items()}
    sys.stdout.write(json.dumps({"row": "fragments", "templates": name, **shown}) + "\n")


def _child_seconds() -> float:
    """Return the CPU time of the template process, 0 before it was started."""
    pid = template_process().isolated.pid
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
