"""Issues show the images of releases if their newsletter wants that, and are right without them."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from house import House, public_id
from lxml.html import fromstring
from pictures import drawing, photo

from newsletter.images.encoder import EncodedImage, ImageEncoder
from newsletter.images.store import store_image
from newsletter.messages.digests.edition import HTML_BUDGET_BYTES
from newsletter.models import StoredImage
from newsletter.newsletters.edit import edit_newsletter
from newsletter.releases.editing.edit_fields import edit_release

OURS = "https://news.example.org/images/"
ALT = 'A "new" <cable> & a quay'


@pytest.fixture(scope="module")
def images() -> list[EncodedImage]:
    with ImageEncoder() as encoder:
        return [encoder.encode(photo(1500, 1000)), encoder.encode(drawing(300, 900))]


def show_images(house: House) -> None:
    with house.runtime.session() as session:
        edit_newsletter(
            session, house.runtime.settings, {"email_images": "lead"},
            language="en", actor="Ann", now=house.clock(),
        )  # fmt: skip
        session.commit()
    house.runtime.identities.forget()


def give(house: House, release: int, image: EncodedImage, alt: str) -> StoredImage:
    """Give a release an image."""
    with house.runtime.session() as session:
        given = {"image": store_image(session, image, house.clock()), "image_alt": alt}
        edit_release(session, public_id(house, release), given, actor="Ann", now=house.clock())
        session.commit()
        return session.get_one(StoredImage, given["image"])


def sent(house: House, kind: str = "html") -> list[str]:
    messages = [message_from_bytes(each.content, policy=policy.SMTP) for each in house.transport.sent]
    return [each.get_body((kind,)).get_content() for each in messages]


def pictures(page: str) -> list[dict[str, str]]:
    """Return the attributes of each image of a page."""
    return [dict(each.attrib) for each in fromstring(page).iter("img")]


def test_an_issue_shows_the_images_from_our_own_host_with_their_descriptions(
    either_house: House, images: list[EncodedImage]
):
    house = either_house
    house.add_subscriber(house.topic("energy"))
    wide, tall = house.release("An energy cable"), house.release("An energy mast")
    house.release("Energy without a picture")
    show_images(house)
    first, second = give(house, wide, images[0], ALT), give(house, tall, images[1], "A mast")

    house.send()

    (page,) = sent(house)
    # As wide as the text in place of the image allows, which is what people see whose program shows none.
    assert "width:100%" in page and "max-width:160px" in page
    shown = {each["alt"]: (each["src"], each["width"], each["height"]) for each in pictures(page)}
    # The width of the text, and the height that a phone shows at once.
    assert shown == {
        ALT: (f"{OURS}{first.email_file_name}", "536", "357"),
        "A mast": (f"{OURS}{second.email_file_name}", "160", "480"),
    }
    assert "image" not in sent(house, "plain")[0].lower()


def test_an_issue_shows_none_unless_its_newsletter_wants_them(house: House, images: list[EncodedImage]):
    house.add_subscriber(house.topic("energy"))
    give(house, house.release("An energy cable"), images[0], "A cable")

    house.send()

    assert pictures(sent(house)[0]) == []


def test_an_email_that_waits_gets_the_corrected_image(house: House, images: list[EncodedImage]):
    house.add_subscriber(house.topic("energy"))
    release = house.release("An energy cable")
    show_images(house)
    give(house, release, images[0], "A cable")
    house.open()

    second = give(house, release, images[1], "A mast")
    house.drain()

    (picture,) = pictures(sent(house)[0])
    assert second.email_file_name in picture["src"]


def test_many_images_do_not_make_an_issue_too_large(house: House, images: list[EncodedImage]):
    house.add_subscriber(house.topic("energy"))
    show_images(house)
    for at in range(120):
        give(
            house, house.release(f"Energy cable number {at}"), images[0], f"Cable {at} " + "in the sea " * 20
        )

    house.send()

    (page,) = sent(house)
    assert len(page.encode()) <= HTML_BUDGET_BYTES
    assert len(pictures(page)) < 120
