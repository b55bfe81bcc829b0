"""Reading returned mail: a file for each case, the library's own texts, and bytes that mean nothing."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.sdist_files import bounce_library_files

from newsletter.bounces.read.parts import LARGEST_BYTES
from newsletter.bounces.read.reader import read_report
from newsletter.bounces.read.report import Kind, as_json

CASES = Path(__file__).parents[2] / "data" / "bounces"
# What a report is made of, to compose broken ones.
LINES = [
    b"From: MAILER-DAEMON@mx.example", b"Subject: failure notice", b"Content-Type: message/delivery-status",
    b"Content-Type: multipart/report; boundary=b", b"Content-Type: message/rfc822",
    b"Content-Type: text/html", b"Content-Type: message/feedback-report", b"--b", b"--b--", b"", b"=",
    b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: quoted-printable", b" folded",
    b"Content-Type: text/plain; charset=utf-7", b"Action: failed", b"Status: 5.1.1", b"5.1.1 5.", b"<",
    b"Final-Recipient: rfc822; ada@harbour.example", b"Diagnostic-Code: smtp; 550 5.1.1 no", b"\xff\x00",
    b"<ada@harbour.example>: user unknown", b"X-Failed-Recipients: ada@harbour.example", b"\x1b$B",
    b"Original-Recipient: ;;@@", b"delivery failed", b"Feedback-Type: abuse",
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.eml")))
def test_each_text_means_what_its_file_says(name):
    expected = json.loads((CASES / f"{name}.json").read_text("utf-8"))
    reason = expected.pop("reason", None)

    report = read_report((CASES / f"{name}.eml").read_bytes())

    assert as_json(report) == expected
    assert reason is None or {each.reason.value for each in report.failures} == {reason}


def test_the_librarys_own_texts_name_the_addresses_that_it_expects():
    folder = bounce_library_files()
    expected: dict[str, tuple[set[str], set[str]]] = {}
    tree = ast.parse((folder / "test_detectors.py").read_text("utf-8"))
    table = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DETECTORS"
    )
    for _, name, addresses, is_temporary in table:
        lists = expected.setdefault(name, (set(), set()))
        lists[is_temporary].update(each.decode().lower() for each in addresses)

    for name, (permanent, temporary) in expected.items():
        report = read_report((folder / "data" / name).read_bytes())
        suppress, soft = ({each.lower() for each in kind} for kind in (report.suppress, report.soft))

        # A full mailbox fails for good by the library, and is no dead address for us.
        assert suppress | soft == permanent | temporary, name
        assert not suppress & temporary, name
    assert len(expected) > 100


@settings(max_examples=300)
@given(st.binary(max_size=600))
def test_no_bytes_make_the_reader_raise(raw):
    report = read_report(raw)

    assert report.kind is Kind.BOUNCE or not report.failures


@settings(max_examples=400)
@given(st.lists(st.sampled_from(LINES), max_size=40), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_no_broken_report_makes_the_reader_raise(lines, end):
    found = as_json(read_report(end.join(lines)))

    assert not set(found["suppress"]) & set(found["soft"])


@pytest.mark.parametrize(
    "raw",
    [
        b"From: mailer-daemon@x\nSubject: failure notice\n\n" + b"a@" * LARGEST_BYTES,
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nfailed a@b.example\n" * 10_000,
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (at, at) for at in range(3000)),
        b"Content-Type: message/rfc822\n\n" * 3000,
        b"Subject: failure notice\n\nfailed\n" + b"a b\n" * 60_000,
    ],
    ids=["one long line", "10,000 parts", "3,000 levels", "3,000 messages", "60,000 short lines"],
)
def test_hostile_messages_are_read_to_a_limit(raw):
    report = read_report(raw)

    assert len(report.failures) <= 1


def test_a_report_names_each_address_once():
    raw = (CASES / "postfix_no_such_user.eml").read_bytes()
    twice = raw.replace(
        b"Reporting-MTA", b"Final-Recipient: rfc822; ADA@harbour.example\nStatus: 5.1.1\n\nReporting-MTA"
    )

    report = read_report(twice)

    assert [each.lower() for each in report.suppress] == ["ada@harbour.example"]
    assert report.soft == []
