"""Consent wordings that never change, and what the ledger stores of an IP address."""

from __future__ import annotations

import hashlib

import pytest

from newsletter.identity import load_identity
from newsletter.models import FIRST_NEWSLETTER
from newsletter.newsletters.edit import edit_newsletter
from newsletter.settings import IPStorage
from newsletter.subscribers.consent.ledger import kept_address
from newsletter.subscribers.consent.wording import (
    WORDINGS,
    current_wording,
    find_wording,
    newsletter_wording,
    seen_wording,
)

# Version and hash of every wording that people have agreed to. Add lines, but never change one.
AGREED = {
    "2026-11.en": "6ff5bd8f5a20875459483b6c28452e0aebeb8120a43c314c962ce8fd676a7559",
    "2026-11.lt": "0341bf9a8c79a9e17f2f729b86a0374fa4cee77e26487527f1e363f798b721be",
    "2026-11.de": "1cf794a65d55ec5a49afd79ffaac2c5f8d3e534023bc1e6525288cc4949bb204",
    "2026-11.fr": "0f0ed1f95b2a0cec6a227dd60048741d0ded238ddad73e782069ea84d3346021",
    "2026-11.es": "5726b2d66a543aa022581ad4a8d62435d2a11cfad728ec924f674d68e1721ab6",
    "2026-11.ja": "8072e31ca23bd51a0f2a55bbcbd2a1a231c90796164f6fb05d72ac73c943b59b",
    "2026-12.en": "6a0412aea041713aa3bb2042eda9e129cafdc33c96fbbc16b536dfc2488b47f0",
    "2026-12.de": "73aefbdc17b436d3d09c08190132e72717126c7d75f20b1f2ed7ac0e639be3e0",
    "2026-12.ja": "c33c4b79ac7dfdd7ff176c793de504a59ce3a5490a98c63d398bb21443cb0b16",
}


def test_a_wording_that_people_agreed_to_was_not_edited():
    assert {wording.version: wording.hash for wording in WORDINGS} == AGREED


def test_the_hash_is_that_of_the_text():
    wording = current_wording()

    assert wording.hash == hashlib.sha256(wording.text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("language", "version"),
    [("en", "2026-12.en"), ("lt", "2026-11.lt"), ("de-AT", "2026-12.de"), ("tlh", "2026-12.en")],
)
def test_each_language_has_a_wording_of_its_own_or_the_english_one(language, version):
    assert current_wording(language).version == version


def test_a_wording_is_found_by_its_version_and_an_invented_one_is_not(house):
    with house.runtime.reading() as session:
        assert {find_wording(session, each.version) for each in WORDINGS} == set(WORDINGS)
        for invented in ("2026-11.tlh", "n1-v1.en", "n999999999999-v1.en", "n1-v1.\0", ""):
            assert find_wording(session, invented) is None


def test_a_newsletter_has_its_own_wording_in_a_language_and_each_version_of_it_is_kept(house):
    runtime, second = house.runtime, house.newsletter("harbour", "de", "en")
    for text in ("Ja, ich will.", "Ja, gern."):
        with runtime.session() as session:
            edit_newsletter(
                session, runtime.settings, {"consent": text}, language="de", actor="test",
                now=house.clock(), newsletter_id=second,
            )  # fmt: skip
            session.commit()

    with runtime.reading() as session:
        newsletter = load_identity(session, runtime.settings, second)
        first = load_identity(session, runtime.settings, FIRST_NEWSLETTER)
        now = newsletter_wording(newsletter, "de")
        before = find_wording(session, f"n{second}-v2.de")
        assert before is not None
        assert (now.version, now.text, now.language) == (f"n{second}-v3.de", "Ja, gern.", "de")
        assert find_wording(session, now.version) == now
        assert (before.text, before.hash != now.hash) == ("Ja, ich will.", True)
        # Another language has its usual one.
        assert newsletter_wording(newsletter, "en") == current_wording("en")
        # A form that was opened before an edit counts with what it showed, but not with another newsletter's.
        assert seen_wording(session, newsletter, before.version, "de") == before
        assert seen_wording(session, newsletter, "2026-12.en", "de") == current_wording("en")
        assert seen_wording(session, newsletter, "n2-v77.de", "de") == now
        assert seen_wording(session, first, before.version, "de") == current_wording("de")


def test_every_version_is_unique_and_fits_its_column():
    versions = [wording.version for wording in WORDINGS]

    assert len(set(versions)) == len(versions)
    assert max(map(len, versions)) <= 32


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
        ("fe80::1%a-zone-that-goes-on", IPStorage.WHOLE, "fe80::1"),
    ],
)
def test_an_address_is_kept_as_the_setting_says(given, storage, kept):
    assert kept_address(given, storage) == kept
