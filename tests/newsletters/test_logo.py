"""A logo is encoded again: small, one frame, without metadata. What is no image is refused in clear words."""

from __future__ import annotations

import io
import random
import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from newsletter.errors import InputError
from newsletter.newsletters.logo import BOX, MOST_BYTES, encode_logo


def image_file(kind: str, size: tuple[int, int] = (300, 100), mode: str = "RGB", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "#1b5e8c" if mode in {"RGB", "RGBA"} else 0).save(out, kind, **more)
    return out.getvalue()


def png(width: int, height: int, pixels: bytes) -> bytes:
    """Return a PNG file of 8-bit grey whose head may name a wrong size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("GIF", "image/png"), ("WEBP", "image/png")],
)
def test_each_kind_becomes_a_png_or_a_jpeg_that_fits(kind, media_type):
    logo = encode_logo(image_file(kind, (3000, 400)))

    image = opened(logo.content)
    assert logo.media_type == media_type == Image.MIME[image.format]
    assert image.size == (logo.width, logo.height) == (480, 64)


def test_a_small_image_keeps_its_size_and_a_narrow_one_at_least_a_pixel():
    assert (encode_logo(image_file("PNG", (40, 20))).width, BOX) == (40, (480, 128))
    narrow = encode_logo(image_file("PNG", (1, 6000)))
    assert (narrow.width, narrow.height) == (1, 128)


def test_transparency_is_kept():
    out = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(out, "PNG")

    assert opened(encode_logo(out.getvalue()).content).getpixel((5, 5)) == (0, 0, 0, 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_mode_of_a_png_is_read(mode):
    assert encode_logo(image_file("PNG", (20, 20), mode)).media_type == "image/png"


def test_an_image_of_16_bits_keeps_its_brightness():
    out = io.BytesIO()
    Image.new("I;16", (20, 20), 128 * 256).save(out, "PNG")

    assert opened(encode_logo(out.getvalue()).content).getpixel((5, 5)) == (128, 128, 128)


def test_a_jpeg_in_cmyk_becomes_rgb():
    out = io.BytesIO()
    Image.new("CMYK", (20, 20)).save(out, "JPEG")

    assert opened(encode_logo(out.getvalue()).content).mode == "RGB"


def test_only_the_first_frame_of_an_animation_is_kept():
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("#ff0000", "#00ff00")]
    for kind in ("GIF", "WEBP"):
        out = io.BytesIO()
        frames[0].save(out, kind, save_all=True, append_images=frames[1:], lossless=True)

        image = opened(encode_logo(out.getvalue()).content)

        assert getattr(image, "n_frames", 1) == 1
        assert image.convert("RGB").getpixel((5, 5)) == (255, 0, 0)


def test_a_photo_that_lies_on_its_side_is_turned_upright():
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(out, "JPEG", exif=exif)

    logo = encode_logo(out.getvalue())

    assert (logo.width, logo.height) == (20, 40)


def test_metadata_and_what_follows_the_image_are_dropped():
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Author", "Ann Private")
    exif = Image.Exif()
    exif[0x013B] = "Ann Private"
    picture = image_file("PNG", pnginfo=notes, exif=exif) + b"<script>alert('Ann Private')</script>"
    photo = image_file("JPEG", exif=exif, comment=b"Ann Private") + b"PK\x03\x04 Ann Private"

    for content in (picture, photo):
        assert b"Private" in content
        encoded = encode_logo(content).content
        assert b"Private" not in encoded
        assert b"script" not in encoded
        assert not opened(encoded).info.keys() & {"exif", "comment", "Author", "icc_profile"}


def test_the_same_image_gives_the_same_hash():
    assert encode_logo(image_file("PNG")).hash == encode_logo(image_file("PNG")).hash


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%PDF-1.7 a document",
        image_file("BMP"),
        image_file("TIFF"),
        image_file("ICO", (16, 16)),
    ],
)
def test_what_is_not_such_an_image_is_refused(content):
    with pytest.raises(InputError, match=r"not an image of the kind PNG, JPEG, GIF or WebP|damaged"):
        encode_logo(content)


def test_an_empty_file_is_refused():
    with pytest.raises(InputError, match="is empty"):
        encode_logo(b"")


def test_a_file_that_is_too_long_is_refused_before_it_is_read():
    with pytest.raises(InputError, match=r"has 2,097,153 bytes. At most 2,097,152"):
        encode_logo(image_file("PNG").ljust(MOST_BYTES + 1, b"\0"))


@pytest.mark.parametrize("size", [(4000, 3001), (65_000, 65_000), (2_000_000_000, 2_000_000_000)])
def test_an_image_with_too_many_pixels_is_refused_before_it_is_decoded(size):
    bomb = png(*size, zlib.compress(b"\0" * 1000))

    with pytest.raises(InputError, match=r"too many pixels.* At most 12,000,000"):
        encode_logo(bomb)


def test_pixels_beyond_the_promised_size_are_not_decoded():
    # 100 MB of zeros in 100 KB, behind a head that promises 8 x 8 pixels.
    bomb = png(8, 8, zlib.compress(b"\0" * 100_000_000))

    try:
        logo = encode_logo(bomb)
    except InputError:
        return
    assert (logo.width, logo.height) == (8, 8)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_file_that_is_cut_off_or_damaged_is_refused_or_read_but_never_fails_otherwise(kind):
    out = io.BytesIO()
    noise = random.Random(7)
    Image.frombytes("RGB", (64, 64), noise.randbytes(64 * 64 * 3)).save(out, kind)
    whole = out.getvalue()
    refused = 0

    for cut in range(1, len(whole), max(1, len(whole) // 40)):
        damaged = bytearray(whole)
        damaged[cut] ^= 0xFF
        for content in (whole[:cut], bytes(damaged)):
            try:
                encode_logo(content)
            except InputError:
                refused += 1

    assert refused > 20
