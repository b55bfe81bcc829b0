"""What is kept as proof, and what is not."""

from __future__ import annotations

import hashlib

import pytest

from newsletter.settings import IPStorage
from newsletter.subscriptions.consent import WORDINGS, current_wording, kept_address

# Version and hash of every wording that people have agreed to: a line is added, never changed.
AGREED = {"2026-11.en": "6ff5bd8f5a20875459483b6c28452e0aebeb8120a43c314c962ce8fd676a7559"}


def test_a_wording_that_people_agreed_to_was_not_edited():
    assert {wording.version: wording.hash for wording in WORDINGS} == AGREED


def test_the_hash_is_that_of_the_text():
    wording = current_wording()

    assert wording.hash == hashlib.sha256(wording.text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("given", "storage", "kept"),
    [
        ("192.0.2.77", IPStorage.WHOLE, "192.0.2.77"),
        ("192.0.2.77", IPStorage.SHORT, "192.0.2.0"),
        ("192.0.2.77", IPStorage.NONE, None),
        ("2001:db8:1:2:3::4", IPStorage.SHORT, "2001:db8:1::"),
        ("::ffff:192.0.2.77", IPStorage.SHORT, "192.0.2.0"),
        ("unix socket", IPStorage.WHOLE, None),
        ("", IPStorage.SHORT, None),
        ("fe80::1%eth0", IPStorage.SHORT, "fe80::"),
    ],
)
def test_an_address_is_kept_as_the_setting_says(given, storage, kept):
    assert kept_address(given, storage) == kept
