"""Score the reading of returned mail on a folder of messages, each with its right values beside it as JSON.

`PYTHONPATH=tests python -m bounce_score MESSAGES EXPECTATIONS` prints each wrong value, a table by provider
and MTA, and the totals. The values of MESSAGES/NAME are in EXPECTATIONS/NAME.json. It has the `kind`, and the
addresses that are `hard`, `soft`, `either` (the report does not tell) or a `complaint`. The kind "any" allows
all kinds, but no hard failure. The kind "X" leaves a message out.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from newsletter.bounces.read.reader import read_report
from newsletter.bounces.read.report import Report

# What in a message shows the system that wrote it. The first that fits counts.
SYSTEMS = (
    ("feedback report", rb"(?i)message/feedback-report"),
    ("Barracuda", rb"(?i)barracuda"),
    ("Mimecast", rb"(?i)mimecast"),
    ("Boxbe", rb"(?i)boxbe"),
    ("MessageLabs", rb"(?i)messagelabs"),
    ("Gmail", rb"(?i)mailer-daemon@(?:googlemail|gmail)|mx\.google\.com; .*failed"),
    ("Yahoo", rb"(?i)mailer-daemon@yahoo|unable to deliver your message to the following address"),
    ("AOL", rb"(?i)mailer-daemon@aol"),
    ("iCloud", rb"(?i)mail\.icloud\.com|mail\.me\.com"),
    ("Yandex", rb"(?i)mailer-daemon@yandex|yandex\.(?:ru|net)"),
    ("mail.ru", rb"(?i)@(?:corp\.)?mail\.ru"),
    ("QQ, 163", rb"(?i)postmaster@(?:163|qq|126)\.com"),
    ("Amazon SES", rb"(?i)amazonses"),
    ("GMX, t-online", rb"(?i)failed addresses follow|gmx\.net"),
    ("Domino", rb"(?i)domino|x-notes"),
    ("GroupWise", rb"(?i)groupwise"),
    ("Exim", rb"(?i)x-failed-recipients|exim|created automatically by mail delivery software"),
    ("qmail", rb"(?i)qmail-send|qmail|mail delivery agent at"),
    ("Postfix", rb"(?i)postfix|this is the mail system at host"),
    ("Outlook, Exchange", rb"(?i)microsoft|exchange|outlook"),
    ("Courier", rb"(?i)courier"),
    ("Zimbra", rb"(?i)zimbra"),
    ("Sendmail", rb"(?i)mail delivery subsystem|transcript of session|sendmail"),
    ("other", rb""),
)


@dataclass
class Tally:
    """The counts of one system."""

    texts: int = 0
    hard: int = 0
    found: int = 0
    false: int = 0
    soft: int = 0
    soft_found: int = 0
    kind: int = 0
    crashed: int = 0


def system_of(raw: bytes) -> str:
    """Return the system that wrote a report, as far as its text shows it."""
    return next(name for name, pattern in SYSTEMS if re.search(pattern, raw[:60_000]))


def _cases(messages: Path, expectations: Path) -> Iterator[tuple[Path, dict[str, object]]]:
    for path in sorted(messages.iterdir()):
        expected = expectations / f"{path.name}.json"
        if expected.exists():
            values = json.loads(expected.read_text("utf-8"))
            if values["kind"] != "X":
                yield path, values


def _lower(values: object) -> set[str]:
    return {str(each).lower() for each in values} if isinstance(values, list) else set()


def _score(report: Report, values: dict[str, object], tally: Tally) -> list[str]:
    hard, soft, either = (_lower(values.get(name)) for name in ("hard", "soft", "either"))
    suppressed, said_soft = _lower(report.suppress), _lower(report.soft)
    missed = hard - suppressed
    false = suppressed - hard - either
    absent = (soft | either) - said_soft - suppressed
    complaints = _lower(values.get("complaint")) - _lower(list(report.complaints))
    right_kind = values["kind"] in ("any", report.kind.value)
    tally.texts += 1
    tally.hard += len(hard)
    tally.found += len(hard) - len(missed)
    tally.false += len(false)
    tally.soft += len(soft | either)
    tally.soft_found += len(soft | either) - len(absent)
    tally.kind += right_kind
    faults = [f"hard failure missed: {each}" for each in sorted(missed)]
    faults += [f"FALSE SUPPRESSION: {each}" for each in sorted(false)]
    faults += [f"soft failure missed: {each}" for each in sorted(absent)]
    faults += [f"complaint missed: {each}" for each in sorted(complaints)]
    if not right_kind:
        faults.append(f"kind {report.kind.value}, not {values['kind']}")
    return faults


def main(messages: str, expectations: str) -> int:
    """Print the score; return 1 if fewer than 97 % of the hard failures were found, or one was false."""
    tallies: dict[str, Tally] = {}
    for path, values in _cases(Path(messages), Path(expectations)):
        raw = path.read_bytes()
        tally = tallies.setdefault(system_of(raw), Tally())
        try:
            faults = _score(read_report(raw), values, tally)
        except Exception as crash:
            tally.crashed += 1
            faults = [f"CRASH: {crash!r}"]
        for fault in faults:
            print(f"{path.name}: {fault}")
    print(f"{'system':20} texts  hard found  false  soft found  kind right  crashes")
    total: Counter[str] = Counter()
    for name, each in sorted(tallies.items()):
        total.update(vars(each))
        print(_row(name, Counter(vars(each))))
    print(_row("total", total))
    return 0 if total["found"] >= 0.97 * total["hard"] and not total["false"] else 1


def _row(name: str, each: Counter[str]) -> str:
    hard, soft = f"{each['found']}/{each['hard']}", f"{each['soft_found']}/{each['soft']}"
    kind = f"{each['kind']}/{each['texts']}"
    return (
        f"{name:20} {each['texts']:5} {hard:>11} {each['false']:6} {soft:>11} {kind:>11} {each['crashed']:8}"
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m bounce_score MESSAGES EXPECTATIONS")
    sys.exit(main(*sys.argv[1:]))
