"""The process that fills an owner's templates. It starts with the first request, and stays for the next."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from newsletter.errors import TemplateInvalid
from newsletter.isolation.process import IsolatedProcess

# CPU time of one request. It has up to a hundred releases, and ten of them take about 20 ms.
SECONDS = 5.0
MEMORY_BYTES = 320 * 1024 * 1024
TOO_MUCH = "These templates take too much time or memory, so they were stopped."


class TemplateProcess:
    """Fills templates in a child process, for one thread at a time."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.isolated = IsolatedProcess("newsletter.messages.templates.fill", seconds, MEMORY_BYTES)

    def ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer of the child process. Raises TemplateInvalid, also if it reached a limit."""
        answer = self.isolated.ask(b"", request)
        if answer.unreadable:
            raise TemplateInvalid([("", 0, TOO_MUCH)])
        if answer.facts.get("faults"):
            raise TemplateInvalid([(part, line, words) for part, line, words in answer.facts["faults"]])
        return answer.facts


@cache
def template_process() -> TemplateProcess:
    """Return the TemplateProcess that all threads of this process share."""
    return TemplateProcess()
