"""The form of a release: its image, and a title in capitals."""

from __future__ import annotations

import io
import re

import pytest
from pictures import SVG, photo, png_of, polyglots
from sqlalchemy import select

from newsletter.models import Release, StoredImage


def edit(editor, public_id: str, **given: object):
    path = f"/admin/releases/{public_id}/edit"
    return editor.post(path, {"title": "A new quay", "revision": "1", **given}, page=path)


def upload(content: bytes, name: str = "quay.jpg"):
    return (io.BytesIO(content), name)


def only_release(house) -> Release:
    with house.make_session() as session:
        return session.scalars(select(Release)).one()


@pytest.fixture
def public_id(house) -> str:
    house.topic()
    return house.release("A new quay")


def test_an_image_is_uploaded_shown_replaced_and_removed_each_as_a_revision(house, editor, public_id):
    added = edit(editor, public_id, image_file=upload(photo()), image_alt="A quay at dawn")
    first = only_release(house)
    page = editor.get(f"/admin/releases/{public_id}").text
    file_name = re.search(r'src="/admin/images/([^"]+)"', page)[1]
    image = editor.get(f"/admin/images/{file_name}")
    replaced = edit(
        editor, public_id, revision="2", image=first.image_hash,
        image_file=upload(photo(700, 500)), image_alt="A quay at noon",
    )  # fmt: skip
    second = only_release(house)
    edit(editor, public_id, revision="3", image=second.image_hash, no_image="y", image_alt="A quay at noon")
    history = editor.get(f"/admin/releases/{public_id}/revisions").text

    assert (added.status_code, replaced.status_code) == (303, 303)
    assert 'alt="A quay at dawn"' in page
    assert (image.status_code, image.mimetype) == (200, "image/jpeg")
    assert first.image_hash != second.image_hash
    last = only_release(house)
    assert (last.revision, last.image_hash, last.image_alt) == (4, None, "")
    for words in ("An image was added.", "Another image takes the place", "The image was removed."):
        assert words in history


def test_an_image_needs_a_description_and_is_kept_while_the_form_is_corrected(house, editor, public_id):
    refused = edit(editor, public_id, image_file=upload(photo()))
    kept = re.search(r'name="image" [^>]*value="([0-9a-f]{64})"', refused.text)[1]
    saved = edit(editor, public_id, image=kept, image_alt="A quay at dawn")

    assert refused.status_code == 422
    assert "Describe the image in a sentence" in refused.text
    assert saved.status_code == 303
    assert only_release(house).image_hash == kept


@pytest.mark.parametrize(
    "content", [SVG, png_of(50_000, 50_000), *polyglots().values()], ids=["svg", "large", *polyglots()]
)
def test_files_made_to_do_harm_are_refused(house, editor, public_id, content):
    answer = edit(editor, public_id, image_file=upload(content), image_alt="A quay")

    assert answer.status_code == 422
    assert only_release(house).image_hash is None
    with house.make_session() as session:
        assert session.scalars(select(StoredImage)).all() == []


def preview(editor, **given: object):
    return editor.post(
        "/admin/releases/preview",
        {"title": "A quay", "body": "It is open.", **given},
        page="/admin/releases/new",
    )


def test_the_preview_shows_an_image_as_soon_as_it_is_chosen(house, editor):
    chosen = preview(editor, image_file=upload(photo()))
    image_hash = re.search(r'name="image" [^>]*value="([0-9a-f]{64})"', chosen.text)[1]
    described = preview(editor, image=image_hash, image_alt="A quay at dawn")
    removed = preview(editor, image=image_hash, image_alt="A quay at dawn", no_image="y")
    shown = editor.get(f"/admin/images/{image_hash}.jpg")

    assert "Nobody sees this image until it has a description." in chosen.text
    assert 'hx-swap-oob="true"' in chosen.text
    assert f'src="/admin/images/{image_hash}.jpg"' in described.text
    assert 'alt="A quay at dawn"' in described.text
    # What an editor types meanwhile stays: only another file replaces the fields of the image.
    assert "hx-swap-oob" not in described.text
    assert "<img" not in removed.text
    assert (shown.status_code, shown.headers["Cache-Control"]) == (200, "private, max-age=3600")
    with house.make_session() as session:
        assert session.scalars(select(Release)).all() == []


def test_the_preview_says_why_an_image_is_refused_and_keeps_the_one_before(editor):
    first = preview(editor, image_file=upload(photo()))
    image_hash = re.search(r'name="image" [^>]*value="([0-9a-f]{64})"', first.text)[1]

    refused = preview(editor, image=image_hash, image_file=upload(SVG, "quay.svg"))

    assert 'aria-invalid="true"' in refused.text
    assert f'name="image" type="hidden" value="{image_hash}"' in refused.text


def test_the_preview_shows_a_long_text(editor):
    assert "the end" in preview(editor, body="A quay. " * 20_000 + "the end").text


def test_an_image_that_is_not_stored_cannot_be_named(editor, public_id):
    answer = edit(editor, public_id, image="0" * 64, image_alt="A quay")

    assert answer.status_code == 422
    assert "Choose its file again" in answer.text


def test_a_new_release_is_stored_with_its_image(house, editor):
    house.topic()

    answer = editor.post(
        "/admin/releases/new",
        {"title": "A pier", "body": "It is open.", "image_file": upload(photo()), "image_alt": "A pier"},
    )

    assert answer.status_code == 303
    assert (only_release(house).image_alt, bool(only_release(house).image_hash)) == ("A pier", True)


def test_a_title_in_capitals_is_written_as_a_sentence_and_nothing_is_stored(house, editor, public_id):
    answer = edit(editor, public_id, title="PORT OPENS A NEW QUAY", action="sentence-case", body="A text.")

    assert 'value="Port opens a new quay"' in answer.text
    assert "A text." in answer.text
    assert only_release(house).title == "A new quay"
