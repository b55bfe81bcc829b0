"""Images are stored once by their content, and shown only with a release that is public now."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import House
from house import public_id as public_id_of
from pictures import drawing, photo

from newsletter.errors import InputError, NotFound
from newsletter.images.encoder import EncodedImage, ImageEncoder
from newsletter.images.store import (
    UNUSED_FOR,
    delete_unused,
    find_image,
    find_public_file,
    keep_image,
    read_file,
    store_image,
)
from newsletter.models import Release, StoredImage
from newsletter.releases.editing.edit import ReleaseAction, change_release
from newsletter.releases.editing.edit_fields import edit_release

HIDING = [ReleaseAction.HOLD, ReleaseAction.EXCLUDE]


@pytest.fixture(scope="module")
def images() -> list[EncodedImage]:
    with ImageEncoder() as encoder:
        return [encoder.encode(photo()), encoder.encode(drawing())]


def edit(house: House, release: int, **given: str) -> None:
    """Change a release's image or its description."""
    with house.runtime.session() as session:
        edit_release(session, public_id_of(house, release), given, actor="Ann", now=house.clock())
        session.commit()


def store(house: House, image: EncodedImage) -> str:
    with house.runtime.session() as session:
        image_hash = store_image(session, image, house.clock())
        session.commit()
        return image_hash


def is_public(house: House, image_hash: str) -> bool:
    with house.runtime.session() as session:
        stored = session.get_one(StoredImage, image_hash)
        try:
            page = find_public_file(session, stored.file_name, house.clock())
            email = find_public_file(session, stored.email_file_name, house.clock())
        except NotFound:
            return False
        assert page == (stored.content, stored.media_type)
        assert email == (stored.email_content, stored.email_media_type)
        return True


def test_the_same_image_is_stored_once(either_house: House, images: list[EncodedImage]):
    first, second = store(either_house, images[0]), store(either_house, images[0])

    assert first == second == images[0].hash
    assert len(either_house.all(StoredImage)) == 1


def test_an_image_is_public_while_its_release_is(either_house: House, images: list[EncodedImage]):
    house = either_house
    house.topic("harbours")
    release = house.release("A new quay")
    image_hash = store(house, images[0])
    assert not is_public(house, image_hash)

    edit(house, release, image=image_hash, image_alt="A quay")
    assert is_public(house, image_hash)

    for action in HIDING:
        with house.runtime.session() as session:
            change_release(session, public_id_of(house, release), action, "Ann", house.clock())
            session.commit()
        assert not is_public(house, image_hash)
    with house.runtime.session() as session:
        change_release(session, public_id_of(house, release), ReleaseAction.READY, "Ann", house.clock())
        session.commit()
    assert is_public(house, image_hash)


def test_an_image_of_an_earlier_public_text_stays_for_emails_that_were_sent(
    house: House, images: list[EncodedImage]
):
    house.topic("harbours")
    release = house.release("A new quay")
    first, second = store(house, images[0]), store(house, images[1])
    edit(house, release, image=first, image_alt="A quay")

    edit(house, release, image=second, image_alt="A map")

    assert is_public(house, first)
    assert is_public(house, second)


def test_an_image_that_was_replaced_before_its_release_was_public_is_not_shown(
    house: House, images: list[EncodedImage]
):
    house.topic("harbours")
    release = house.release("A new quay")
    first, second = store(house, images[0]), store(house, images[1])
    with house.runtime.session() as session:
        change_release(session, public_id_of(house, release), ReleaseAction.HOLD, "Ann", house.clock())
        session.commit()
    edit(house, release, image=first, image_alt="A quay")
    edit(house, release, image=second, image_alt="A map")
    with house.runtime.session() as session:
        change_release(session, public_id_of(house, release), ReleaseAction.READY, "Ann", house.clock())
        session.commit()

    assert not is_public(house, first)
    assert is_public(house, second)


def test_an_image_without_a_description_is_not_shown_and_an_editor_has_to_describe_it(
    house: House, images: list[EncodedImage]
):
    house.topic("harbours")
    release = house.release("A new quay")
    image_hash = store(house, images[0])

    with pytest.raises(InputError):
        edit(house, release, image=image_hash)
    with house.runtime.session() as session:
        session.get_one(Release, release).image_hash = image_hash  # as a source brings it
        session.commit()

    assert not is_public(house, image_hash)
    edit(house, release, title="Another title")
    edit(house, release, image_alt="A quay")
    assert is_public(house, image_hash)


@pytest.mark.parametrize(
    "name", ["x", "", "0" * 64 + ".svg", "0" * 64 + ".jpg", "../" + "0" * 64 + ".jpg", "0" * 63 + "\0.jpg"]
)
def test_a_name_that_is_none_of_an_image_is_not_found(either_house: House, name: str):
    with either_house.runtime.session() as session, pytest.raises(NotFound):
        read_file(session, name)


def test_an_image_has_one_name_for_each_size(house: House, images: list[EncodedImage]):
    image_hash = store(house, images[0])

    with house.runtime.session() as session, pytest.raises(NotFound):
        read_file(session, f"{image_hash}.png")


def test_an_image_that_nothing_names_is_deleted_after_some_days(
    either_house: House, images: list[EncodedImage]
):
    house = either_house
    house.topic("harbours")
    release = house.release("A new quay")
    used, unused = store(house, images[0]), store(house, images[1])
    edit(house, release, image=used, image_alt="A quay")
    edit(house, release, image="")

    def delete_at(moment: timedelta) -> int:
        with house.runtime.session() as session:
            count = delete_unused(session, house.clock() + moment)
            session.commit()
            return count

    assert delete_at(UNUSED_FOR - timedelta(hours=1)) == 0
    assert delete_at(UNUSED_FOR + timedelta(hours=1)) == 1
    with house.runtime.session() as session:
        # A revision names it.
        assert find_image(session, used) is not None
        assert find_image(session, unused) is None
        with pytest.raises(InputError, match="Choose its file again"):
            keep_image(session, unused, house.clock())
