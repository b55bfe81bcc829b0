"""Images are encoded in a process of their own."""

from __future__ import annotations

import resource

import pytest
from pictures import SVG, drawing, photo, png_of, polyglots

from newsletter.errors import InputError
from newsletter.images.encoder import MOST_BYTES, ImageEncoder
from newsletter.isolation.process import MEMORY_BYTES


@pytest.fixture
def encoder():
    with ImageEncoder() as made:
        yield made


def test_an_image_has_a_size_for_pages_and_one_for_emails(encoder: ImageEncoder):
    made = encoder.encode(photo(1500, 1000))

    assert (made.page.width, made.page.height) == (1500, 1000)
    assert (made.email.width, made.email.height) == (1200, 800)
    assert made.page.content.startswith(b"\xff\xd8")
    assert len(made.hash) == 64
    assert encoder.encode(photo(1500, 1000)).hash == made.hash


def test_the_process_has_a_limit_of_memory_that_a_large_photo_does_not_reach(encoder: ImageEncoder):
    made = encoder.encode(photo(6000, 4000, quality=60))

    assert made.page.width == 1600
    assert resource.prlimit(encoder.pid, resource.RLIMIT_AS) == (MEMORY_BYTES, MEMORY_BYTES)


def test_the_largest_picture_with_transparent_parts_is_encoded_within_the_limit_of_memory(
    encoder: ImageEncoder,
):
    assert encoder.encode(drawing(4000, 4000, "RGBA")).page.width == 1600


def test_files_made_to_do_harm_are_refused_and_the_next_image_is_encoded(encoder: ImageEncoder):
    hostile = [SVG, png_of(50_000, 50_000), *polyglots().values(), b"", bytes(MOST_BYTES + 1)]
    for each in hostile:
        with pytest.raises(InputError):
            encoder.encode(each)

    assert encoder.encode(photo()).page.width == 900
