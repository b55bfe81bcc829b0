"""Load the first frame of an image from outside, with 8 bits a channel. Pure."""

from __future__ import annotations

from PIL import Image


def first_frame(image: Image.Image) -> Image.Image:
    """Return the first frame of an opened image: as RGBA if it can be transparent, else as RGB."""
    image.load()
    if image.mode.startswith(("I", "F")):
        # 16 bits for each pixel: `convert` would cut all bright values off.
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    has_alpha = image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info
    wanted = "RGBA" if has_alpha else "RGB"
    # `convert` copies also an image that has the mode already, and a large one fits into memory only once.
    return image if image.mode == wanted else image.convert(wanted)
