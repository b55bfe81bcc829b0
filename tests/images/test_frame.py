"""Tests of loading the first frame of an image."""

from __future__ import annotations

import pytest
from PIL import Image

from newsletter.images.frame import first_frame


def test_an_image_with_16_bits_keeps_its_bright_values() -> None:
    image = Image.new("I;16", (2, 2), 40_000)

    frame = first_frame(image)

    assert frame.mode == "RGB"
    assert frame.getpixel((0, 0)) == (156, 156, 156)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_a_frame_that_can_be_transparent_has_an_alpha_channel(mode: str) -> None:
    assert first_frame(Image.new(mode, (2, 2))).mode == "RGBA"


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGB"])
def test_any_other_frame_has_none(mode: str) -> None:
    assert first_frame(Image.new(mode, (2, 2))).mode == "RGB"


def test_a_frame_in_the_right_mode_is_not_copied() -> None:
    image = Image.new("RGB", (2, 2))

    assert first_frame(image) is image
