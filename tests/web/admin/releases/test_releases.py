from __future__ import annotations

import io
import re
from datetime import UTC, datetime

import pytest
from pictures import photo
from sqlalchemy import select

from newsletter.models import AuditEntry, HoldReason, Release, ReleaseState, ReleaseTopic
from newsletter.releases.holds import hold

NOON = datetime(2025, 10, 23, 12, tzinfo=UTC)


def test_releases_are_found_by_title_case_aside(house, editor):
    house.topic()
    house.release("Pajūrio sveikata")
    house.release("A new quay")

    page = editor.get("/admin/releases?q=PAJŪRIO").text

    assert "<mark>Pajūrio</mark> sveikata" in page
    assert "A new quay" not in page


def test_a_release_with_an_image_has_a_small_one_in_the_list(house, editor):
    house.topic()
    with_image, _ = house.release("A new quay"), house.release("A pier")
    path = f"/admin/releases/{with_image}/edit"
    file = (io.BytesIO(photo()), "quay.jpg")
    data = {"title": "A new quay", "revision": "1", "image_file": file, "image_alt": "A quay at dawn"}
    editor.post(path, data, page=path)

    page = editor.get("/admin/releases").text

    assert "Part(" not in page  # each button names its release
    assert page.count('<span class="hidden-visually">: A pier</span>') == 3
    (small,) = re.findall("<img [^>]*thumb[^>]*>", page)
    assert 'loading="lazy"' in small
    assert 'width="72" height="54"' in small
    assert re.search(r'src="/admin/images/[0-9a-f]{64}-email\.jpg"', small)


def test_a_search_finds_words_of_the_text_and_parts_of_titles(house, editor):
    house.topic()
    house.release("A new quay")
    house.release("Ferries run late", ReleaseState.HELD)

    by_word, by_part = (editor.get(f"/admin/releases?q={each}").text for each in ("Ferries", "erri"))

    assert "<mark>Ferries</mark> run late" in by_word and "1 release" in by_word
    assert "Ferries run late" in by_part
    assert "Ferries" not in editor.get("/admin/releases?q=ferries&state=ready").text.partition("<table")[2]


def test_wildcards_in_a_search_are_themselves(house, editor):
    house.topic()
    house.release("Ferries are 100% full")
    house.release("Nothing of the kind")

    assert "Nothing of the kind" not in editor.get("/admin/releases?q=%25").text
    assert "Ferries" not in editor.get("/admin/releases?q=_").text


def test_releases_are_filtered_by_state_topic_and_day(house, editor):
    house.topic("harbours")
    house.topic("trains")
    house.release("Held one", ReleaseState.HELD)
    house.release("Night train", topic="trains")

    assert "Night train" not in editor.get("/admin/releases?state=held").text
    assert "Held one" not in editor.get("/admin/releases?topic=trains").text
    assert "Night train" in editor.get("/admin/releases?since=2025-10-22").text
    assert "Night train" not in editor.get("/admin/releases?since=2025-10-23").text


def test_a_long_list_has_pages_that_hold_each_release_once(house, editor):
    house.topic()
    for number in range(53):
        house.release(f"Release no. {number:02}.")

    pages = [editor.get(f"/admin/releases?page={page}").text for page in (1, 2)]

    shown = [[f"Release no. {number:02}.</a>" in page for number in range(53)] for page in pages]
    assert [sum(row) for row in shown] == [50, 3]
    assert all(first != second for first, second in zip(*shown, strict=True))


def test_a_release_is_shown_completely(house, editor):
    house.topic()
    public_id = house.release("A new quay")

    page = editor.get(f"/admin/releases/{public_id}").text

    assert "<p>A new quay is open.</p>" in page
    assert "No issue yet" in page


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("hold", (ReleaseState.HELD, False)),
        ("exclude", (ReleaseState.EXCLUDED, False)),
        ("pin", (ReleaseState.READY, True)),
    ],
)
def test_a_button_changes_a_release_and_leads_back_to_the_list_as_it_was(house, editor, action, expected):
    house.topic()
    public_id = house.release()

    answer = editor.post(
        f"/admin/releases/{public_id}?q=quay&page=1", {"action": action}, page="/admin/releases"
    )

    assert (answer.status_code, answer.location) == (303, "/admin/releases?q=quay&page=1")
    (release,) = house.all(select(Release))
    assert (release.state, release.pinned) == expected
    (entry,) = house.all(select(AuditEntry).where(AuditEntry.action == f"release.{action}"))
    assert (entry.actor, entry.subject) == ("editor@example.org", public_id)
    assert "A new quay" in editor.get(answer.location).text


@pytest.mark.parametrize(("action", "words"), [("hold", "Hold"), ("exclude", "Exclude")])
def test_before_a_public_release_is_withdrawn_a_page_says_who_has_it(house, editor, action, words):
    house.topic()
    public_id = house.release()
    with house.make_session() as session:
        session.scalars(select(Release)).one().made_public_at = NOON
        session.commit()
    path = f"/admin/releases/{public_id}?q=quay&page=1"

    asked = editor.post(path, {"action": action}, page="/admin/releases")
    page = editor.get(asked.location).text
    assert house.all(select(Release.state)) == [ReleaseState.READY]
    answer = editor.post(path, {"action": action, "sure": "y"}, page="/admin/releases")

    assert (asked.status_code, f"/admin/releases/{public_id}/withdraw" in asked.location) == (303, True)
    said = " ".join(page.split())
    assert f"<h1>{words} this release?</h1>" in said
    assert "<dt>People who have it by email</dt><dd>0</dd>" in said
    assert "will say that it was withdrawn" in said
    assert f'action="/admin/releases/{public_id}?q=quay&amp;page=1"' in said
    assert f'name="action" value="{action}"' in said
    assert answer.location == "/admin/releases?q=quay&page=1"
    withdrawn = ReleaseState.HELD if action == "hold" else ReleaseState.EXCLUDED
    assert house.all(select(Release.state)) == [withdrawn]


def test_that_page_changes_nothing_by_itself_and_knows_releases_that_nobody_has_seen(house, editor):
    house.topic()
    public_id = house.release()

    page = editor.get(f"/admin/releases/{public_id}/withdraw?action=ready").text

    assert "Nobody has seen this release." in page
    assert 'name="action" value="hold"' in page
    assert house.all(select(Release.state)) == [ReleaseState.READY]
    assert editor.get("/admin/releases/nothing/withdraw").status_code == 404


def test_a_release_that_becomes_ready_becomes_mailable(house, editor):
    house.topic()
    public_id = house.release(state=ReleaseState.HELD)
    assert house.all(select(ReleaseTopic.sequence)) == [None]

    path = f"/admin/releases/{public_id}"
    answer = editor.post(f"{path}?back=release", {"action": "ready"}, page=path)

    assert answer.location == path
    assert house.all(select(ReleaseTopic.sequence)) == [1]


def test_a_button_that_is_not_there_changes_nothing(house, editor):
    house.topic()
    public_id = house.release()

    assert editor.post(f"/admin/releases/{public_id}", {"action": "burn"}).status_code == 400
    assert editor.post("/admin/releases/nothing", {"action": "hold"}, page="/admin/").status_code == 404


def test_a_doubtful_release_is_marked_and_accepted_with_one_click(house, editor):
    house.topic()
    public_id = house.release("Menu of the port", state=ReleaseState.HELD)
    with house.make_session() as session:
        release = session.scalars(select(Release)).one()
        hold(release, HoldReason.DOUBT, "parser", NOON, fields=["title"])
        session.commit()
    path = f"/admin/releases/{public_id}"
    fields = {"title": "Port opens a quay", "publisher": "Port Authority", "published": "2025-10-22"}

    listed, page = editor.get("/admin/releases").text, editor.get(path).text
    answer = editor.post(f"{path}/correction", fields, page=path)

    assert "Check the title" in listed
    assert "The title may be wrong" in page
    assert "our guess" in page
    assert answer.location == path
    (release,) = house.all(select(Release))
    assert (release.title, release.state) == ("Port opens a quay", ReleaseState.READY)
    assert house.all(select(ReleaseTopic.sequence)) == [1]
    assert "may be wrong" not in editor.get(path).text


@pytest.mark.parametrize(("field", "value"), [("title", " "), ("published", "soon"), ("published", "")])
def test_a_correction_that_is_not_valid_changes_nothing(house, editor, field, value):
    house.topic()
    public_id = house.release("Menu of the port", state=ReleaseState.HELD)
    with house.make_session() as session:
        hold(session.scalars(select(Release)).one(), HoldReason.DOUBT, "parser", NOON, fields=["title"])
        session.commit()
    path = f"/admin/releases/{public_id}"
    fields = {"title": "Port opens a quay", "publisher": "Port", "published": "2025-10-22"} | {field: value}

    answer = editor.post(f"{path}/correction", fields, page=path)

    assert answer.location == path
    assert house.all(select(Release.state)) == [ReleaseState.HELD]
