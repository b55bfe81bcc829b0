"""Tests of the fingerprints of texts."""

from __future__ import annotations

from releases.duplicates.pairs import make_pairs

from newsletter.releases.duplicates.fingerprint import fingerprint


def shared(one: tuple[str, str], other: tuple[str, str]) -> int:
    return len(set(fingerprint(*one)) & set(fingerprint(*other)))


def test_each_copy_shares_a_band_with_its_release():
    pairs = [each for each in make_pairs() if each.is_copy]

    assert [
        (each.name, each.kind)
        for each in pairs
        if not shared((each.known.title, each.known.body), (each.new.title, each.new.body))
    ] == []


def test_releases_about_other_things_share_none():
    releases = {each.name: each.known for each in make_pairs() if each.kind == "dateline"}
    found = list(releases.values())

    for at, one in enumerate(found):
        for other in found[at + 1 :]:
            assert not shared((one.title, one.body), (other.title, other.body))


def test_a_fingerprint_is_the_same_in_each_process_and_a_text_can_be_empty():
    assert fingerprint("Quay", "") == [fingerprint("QUAY!", "")[0]]
    assert len(fingerprint("Quay", "one")) == 9
    assert fingerprint("Quay", "One two three.")[0] == 6557824724354374780
