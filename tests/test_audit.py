"""Entries of the audit log are found by who, what and about what."""

from __future__ import annotations

from house import House

from newsletter.audit import detail_words, list_entries, record


def test_entries_are_listed_newest_first_and_filtered(either_house: House):
    house = either_house
    with house.runtime.session() as session:
        for actor, action, subject in (
            ("ada@example.org", "release.urgent", "abc"),
            ("command line", "topic.add", "quays"),
            ("ada@example.org", "release.hold", "abcd"),
        ):
            record(session, actor, action, subject, house.clock(), people=6, parts=["styles", "frame"])
        session.commit()

        def found(**given: str) -> list[str]:
            return [each.action for each in list_entries(session, **given).items]

        assert found() == ["release.hold", "topic.add", "release.urgent"]
        assert found(actor="ADA") == ["release.hold", "release.urgent"]
        assert found(action="topic") == ["topic.add"]
        assert found(subject="abc") == ["release.urgent"]
        assert found(actor="%") == []
        second = list_entries(session, page=2, per_page=2)
        assert ([each.action for each in second.items], second.total) == (["release.urgent"], 3)
        assert detail_words(second.items[0]) == "people: 6, parts: styles, frame"
