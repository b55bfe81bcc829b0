"""Encode an image from outside again: two sizes, first frame only, upright, no metadata. Pure.

Run it on images from outside by encoder.py, which bounds its time and memory.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from newsletter.errors import InputError
from newsletter.images.foreign_content import foreign_content
from newsletter.images.frame import first_frame
from newsletter.isolation.process import Answer

# What a page shows, and what an email shows: twice the 600 pixels of its column, for sharp screens.
PAGE_BOX, EMAIL_BOX = (1600, 1600), (1200, 1200)
# To decode one pixel takes up to 4 bytes, and a copy as much again.
MOST_PIXELS = 16_000_000
# A JPEG is decoded at a fraction of its size, so a photo may have more.
MOST_JPEG_PIXELS = 120_000_000
# A line or a dot is no picture of a release.
LEAST_SIDE = 16
# SVG is not among them: it may hold scripts, and email programs do not show it.
FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
KINDS = "JPEG, PNG, GIF or WebP"
# A picture for emails is encoded with the first of these qualities that makes it small enough.
EMAIL_BYTES = 200_000
QUALITIES = (80, 70, 60, 50)
# A drawing with so few colours is smaller and sharper as PNG.
FEW_COLOURS = 256


def answer(document: bytes, _request: Mapping[str, Any]) -> Answer:
    """Return both sizes of an image, one after the other. Raises InputError for what is no good image."""
    if foreign := foreign_content(document):
        raise InputError(f"The image file holds {foreign} too. Save it as an image in a graphics program.")
    picture = _decode(document)
    page, email = _encode_page(picture), _encode_email(picture)
    facts = [
        {"media_type": media_type, "width": size[0], "height": size[1], "bytes": len(content)}
        for content, media_type, size in (page, email)
    ]
    return Answer({"page": facts[0], "email": facts[1]}, page[0] + email[0])


def _decode(document: bytes) -> Image.Image:
    try:
        # This reads the head of the file only.
        with Image.open(io.BytesIO(document), formats=FORMATS) as image:
            _check_size(image)
            return _fit_on_white(image)
    except UnidentifiedImageError as fault:
        raise InputError(f"The file is not an image of the kind {KINDS}.") from fault
    except (InputError, MemoryError):
        raise
    except Image.DecompressionBombError as fault:
        raise InputError(_too_large()) from fault
    except Exception as fault:
        # The decoders raise many kinds of errors for damaged files.
        raise InputError("The image file is damaged: it cannot be read to its end.") from fault


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    most = MOST_JPEG_PIXELS if image.format in {"JPEG", "MPO"} else MOST_PIXELS
    if width * height > most:
        raise InputError(_too_large(f": {width:,} by {height:,}"))
    if min(width, height) < LEAST_SIDE:
        raise InputError(f"The image is too small: {width} by {height} pixels.")
    # A JPEG is then decoded at a half, a quarter or an eighth of its size. Others do nothing.
    image.draft("RGB", PAGE_BOX)
    if image.size[0] * image.size[1] > MOST_PIXELS:
        raise InputError(_too_large(f": {width:,} by {height:,}"))


def _too_large(size: str = "") -> str:
    return f"The image has too many pixels{size}. Make it smaller: 3,000 by 2,000 is enough."


def _fit_on_white(image: Image.Image) -> Image.Image:
    """Return the first frame, upright, as RGB on white, made to fit into PAGE_BOX."""
    frame = first_frame(image)
    frame.thumbnail(PAGE_BOX, Image.Resampling.LANCZOS)
    upright = ImageOps.exif_transpose(frame)
    # A new image has pixels only. A resized one still has comments, profiles and positions.
    clean = Image.new("RGB", upright.size, "white")
    clean.paste(upright, mask=upright.getchannel("A") if upright.mode == "RGBA" else None)
    return clean


Encoded = tuple[bytes, str, tuple[int, int]]


def _encode_page(picture: Image.Image) -> Encoded:
    return _as_png(picture) or _as_jpeg(picture, QUALITIES[0])


def _encode_email(picture: Image.Image) -> Encoded:
    small = picture.copy()
    small.thumbnail(EMAIL_BOX, Image.Resampling.LANCZOS)
    drawn = _as_png(small)
    if drawn is not None and len(drawn[0]) <= EMAIL_BYTES:
        return drawn
    for quality in QUALITIES:
        made = _as_jpeg(small, quality)
        if len(made[0]) <= EMAIL_BYTES:
            break
    return made


def _as_png(picture: Image.Image) -> Encoded | None:
    """Return a drawing with few colours as PNG, None for all other pictures."""
    if picture.getcolors(FEW_COLOURS) is None:
        return None
    out = io.BytesIO()
    picture.quantize(FEW_COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue(), "image/png", picture.size


def _as_jpeg(picture: Image.Image, quality: int) -> Encoded:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue(), "image/jpeg", picture.size
