"""Role mailboxes and providers of disposable mailboxes, and the file with more of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.errors import InputError
from newsletter.subscribers.signup.refused_addresses import (
    disposable_domains,
    is_disposable,
    is_role,
    read_domains,
)


@pytest.mark.parametrize(
    ("local_part", "expected"),
    [
        ("postmaster", True),
        ("Abuse", True),
        ("noreply+news", True),
        ("info", False),
        ("office", False),
        ("ann", False),
    ],
)
def test_a_role_mailbox_is_known_by_its_name(local_part, expected):
    assert is_role(local_part) is expected


@pytest.mark.parametrize(
    ("domain", "expected"),
    [("bin.example", True), ("a.b.bin.example", True), ("robin.example", False), ("example", False)],
)
def test_a_domain_below_a_known_one_is_disposable(domain, expected):
    assert is_disposable(domain, {"bin.example"}) is expected


def test_a_file_of_domains_has_comments_and_names_beyond_ascii(tmp_path: Path):
    file = tmp_path / "domains.txt"
    file.write_text("# ours\nBin.example  # a comment\n\nbücher.example\n", "utf-8")

    assert read_domains(file) == {"bin.example", "xn--bcher-kva.example"}
    assert disposable_domains(False, file) == {"bin.example", "xn--bcher-kva.example"}
    assert disposable_domains(True, file) > disposable_domains(True, None)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"good.example\nnot a domain\n", "line 2, is not a domain"), (b"\xff\xfe", "is not text in UTF-8")],
)
def test_a_file_with_a_fault_is_refused(tmp_path: Path, content, words):
    file = tmp_path / "domains.txt"
    file.write_bytes(content)

    with pytest.raises(InputError, match=words):
        read_domains(file)
