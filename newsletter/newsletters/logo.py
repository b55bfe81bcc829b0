"""Check an uploaded logo and re-encode it: limited size, first frame only, no metadata. Pure."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from newsletter.errors import InputError
from newsletter.images.frame import first_frame

MOST_BYTES = 2 * 1024 * 1024
# To decode one pixel takes up to 4 bytes, so this is 48 MB at most.
MOST_PIXELS = 12_000_000
# Twice the size at which pages and emails show it, for sharp screens.
BOX = (480, 128)
# SVG is not among them: it may hold scripts, and email programs do not show it.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
KINDS = "PNG, JPEG, GIF or WebP"


@dataclass(frozen=True)
class EncodedLogo:
    """A logo as this program encoded it. `width` and `height` are in pixels."""

    content: bytes
    media_type: str
    width: int
    height: int

    @property
    def hash(self) -> str:
        """SHA-256 of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def encode_logo(content: bytes) -> EncodedLogo:
    """Return an uploaded image as PNG or JPEG that fits into BOX. Raises InputError with a clear sentence."""
    if not content:
        raise InputError("The logo file is empty. Choose another file.")
    if len(content) > MOST_BYTES:
        raise InputError(f"The logo file has {len(content):,} bytes. At most {MOST_BYTES:,} are allowed.")
    try:
        # This reads the head of the file only.
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_size(image)
            kind = image.format
            picture = _fit(image)
    except UnidentifiedImageError as fault:
        raise InputError(f"The logo file is not an image of the kind {KINDS}.") from fault
    except InputError:
        raise
    except Image.DecompressionBombError as fault:
        raise InputError(_too_large()) from fault
    except Exception as fault:
        # The decoders raise many kinds of errors for damaged files.
        raise InputError("The logo file is damaged: it cannot be read to its end.") from fault
    # A JPEG file with more than one picture in it opens as MPO.
    return _encode(picture, as_jpeg=kind in {"JPEG", "MPO"})


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise InputError(_too_large(f" of {width:,} by {height:,}"))


def _too_large(size: str = "") -> str:
    return f"The logo has too many pixels{size}. At most {MOST_PIXELS:,} are allowed. Make it smaller."


def _fit(image: Image.Image) -> Image.Image:
    """Return the first frame, upright, as RGB or RGBA, made to fit into BOX."""
    upright = ImageOps.exif_transpose(first_frame(image))
    upright.thumbnail(BOX, Image.Resampling.LANCZOS)
    # A new image has pixels only. A resized one still has comments, profiles and positions.
    clean = Image.new(upright.mode, upright.size)
    clean.paste(upright)
    return clean


def _encode(picture: Image.Image, *, as_jpeg: bool) -> EncodedLogo:
    out = io.BytesIO()
    if as_jpeg:
        picture.convert("RGB").save(out, "JPEG", quality=88, optimize=True)
    else:
        picture.save(out, "PNG", optimize=True)
    media_type = "image/jpeg" if as_jpeg else "image/png"
    return EncodedLogo(out.getvalue(), media_type, *picture.size)
