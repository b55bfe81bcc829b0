"""The addresses of the feeds."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from newsletter.models import Release, ReleaseState


def public_id(visitor, release_id):
    with visitor.house.runtime.session() as session:
        return session.get_one(Release, release_id).public_id


def test_the_archive_is_a_feed_too(visitor):
    release = visitor.house.release("Energy from waves & <wind>\x01")
    visitor.house.release("Sea and shore")
    visitor.house.release("Energy in secret", state=ReleaseState.HELD)

    answer = visitor.get("/releases.atom?topic=energy")

    atom = "{http://www.w3.org/2005/Atom}"
    (entry,) = ElementTree.fromstring(answer.data).iter(f"{atom}entry")
    assert answer.mimetype == "application/atom+xml"
    assert entry.findtext(f"{atom}title") == "Energy from waves & <wind>"
    assert entry.findtext(f"{atom}id") == f"https://news.example.org/releases/{public_id(visitor, release)}"
    assert "/topics/energy.atom" in visitor.get("/releases?topic=energy").text


def test_a_feed_of_nothing_is_a_feed_and_of_no_topic_is_not_found(visitor):
    assert ElementTree.fromstring(visitor.get("/releases.atom").data).tag.endswith("feed")
    assert visitor.get("/releases.atom?topic=gone").status_code == 404


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("atom", "application/atom+xml"), ("rss", "application/rss+xml"), ("json", "application/feed+json")],
)
def test_all_releases_and_each_topic_have_a_feed_in_each_format(visitor, kind, media_type):
    visitor.house.release("Energy from waves")
    visitor.house.release("Sea and shore")

    everything, sea = visitor.get(f"/releases.{kind}"), visitor.get(f"/topics/sea.{kind}")

    assert (everything.mimetype, sea.mimetype) == (media_type, media_type)
    assert "Energy from waves" in everything.text and "Sea and shore" in everything.text
    assert "Energy from waves" not in sea.text and "Sea and shore" in sea.text
    assert f"/topics/sea.{kind}" in visitor.get("/topics/sea").text
    assert visitor.get(f"/topics/gone.{kind}").status_code == 404


def test_a_topic_of_several_newsletters_has_its_feed_under_its_own(visitor):
    visitor.house.topic("quay", newsletter=visitor.house.newsletter("other"))
    visitor.house.release("A quay is built")

    short = visitor.get("/topics/quay.rss")

    assert (short.status_code, short.location) == (308, "/n/other/topics/quay.rss")
    assert "A quay is built" in visitor.get("/n/other/topics/quay.rss").text
    assert "A quay is built" in visitor.get("/n/other/releases.json").text
