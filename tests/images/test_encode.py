"""An image is encoded again in two sizes. What is no good image is refused in clear words."""

from __future__ import annotations

import io

import pytest
from pictures import SVG, drawing, photo, png_of, polyglots
from PIL import Image, PngImagePlugin

from newsletter.errors import InputError
from newsletter.images.encode import EMAIL_BYTES, answer
from newsletter.isolation.process import Answer


def both(made: Answer) -> tuple[Image.Image, Image.Image]:
    """Return the pictures of both sizes, and check what is said about them."""
    end = made.facts["page"]["bytes"]
    pictures = []
    for name, content in (("page", made.content[:end]), ("email", made.content[end:])):
        facts = made.facts[name]
        image = Image.open(io.BytesIO(content))
        image.load()
        assert facts["media_type"] == Image.MIME[image.format]
        assert (facts["width"], facts["height"], facts["bytes"]) == (*image.size, len(content))
        pictures.append(image)
    return pictures[0], pictures[1]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_becomes_a_jpeg_in_two_sizes(kind: str):
    made = answer(photo(3000, 2000, kind), {})
    page, email = both(made)

    assert (page.format, page.size) == ("JPEG", (1600, 1067))
    assert (email.format, email.size) == ("JPEG", (1200, 800))
    assert made.facts["email"]["bytes"] <= EMAIL_BYTES


def test_a_drawing_becomes_a_png_and_a_small_picture_keeps_its_size():
    page, email = both(answer(drawing(500, 300), {}))

    assert (page.format, email.format) == ("PNG", "PNG")
    assert page.size == email.size == (500, 300)


def test_transparent_parts_become_white():
    page, _ = both(answer(drawing(400, 400, "RGBA"), {}))

    assert page.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_a_photo_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    page, _ = both(answer(photo(900, 600, exif=exif), {}))

    assert page.size == (600, 900)


def test_metadata_is_dropped():
    secret = b"taken at Harbour Street 7"
    exif = Image.Exif()
    exif[0x010E] = secret.decode()
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", secret.decode())
    files = [
        photo(exif=exif, comment=secret),
        photo(kind="PNG", pnginfo=texts),
        photo(kind="WEBP", exif=exif),
    ]

    assert all(secret in each for each in files)
    assert not any(secret in answer(each, {}).content for each in files)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (SVG, "holds a web page or a script too"),
        (b"<?xml version='1.0'?><x/>", "not an image of the kind JPEG, PNG, GIF or WebP"),
        (png_of(50_000, 50_000), "too many pixels"),
        (png_of(5_000, 5_000), "too many pixels"),
        (drawing(8, 8), "too small"),
        (photo()[:2000], "damaged"),
    ],
)
def test_what_is_no_good_image_is_refused(document: bytes, words: str):
    with pytest.raises(InputError, match=words):
        answer(document, {})


@pytest.mark.parametrize("name", list(polyglots()))
def test_a_file_that_is_something_else_too_is_refused(name: str):
    with pytest.raises(InputError, match=r"holds an? .+ too"):
        answer(polyglots()[name], {})
