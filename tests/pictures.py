"""Image files for tests: good ones, and those that somebody made to do harm."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from functools import cache

from PIL import Image

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><script>alert(1)</script></svg>'


def photo(width: int = 900, height: int = 600, kind: str = "JPEG", **more: object) -> bytes:
    """Return a picture with many colours."""
    seed = Image.frombytes("RGB", (30, 20), random.Random(7).randbytes(1800))
    out = io.BytesIO()
    seed.resize((width, height), Image.Resampling.BICUBIC).save(out, kind, **more)
    return out.getvalue()


def drawing(width: int = 900, height: int = 600, mode: str = "RGB") -> bytes:
    """Return a picture with two colours, as PNG."""
    image = Image.new(mode, (width, height), 0 if mode == "RGBA" else "white")
    image.paste("#1b5e8c", (width // 4, height // 4, width // 2, height // 2))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@cache
def png_of(width: int, height: int) -> bytes:
    """Return a PNG file of grey pixels. It is small, however large the picture is."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer, row, packed = zlib.compressobj(9), bytes(width + 1), []
    packed.extend(packer.compress(row) for _ in range(min(height, 2000)))
    packed.append(packer.flush())
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", b"".join(packed)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def polyglots() -> dict[str, bytes]:
    """Return files that are images and something else at the same time."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("run.js", "alert(1)")
    gif = photo(60, 40, "GIF")
    return {
        "an archive after a JPEG": photo() + archive.getvalue(),
        "a page in a comment of a JPEG": photo(comment=b"<html><script>alert(1)</script></html>"),
        "a script after a GIF": gif + b"<script>alert(1)</script>",
        "a PHP program after a PNG": drawing() + b"<?php system($_GET['x']); ?>",
        "a PDF document in a JPEG": photo(comment=b"%PDF-1.7 1 0 obj"),
        "an SVG after a PNG": drawing() + SVG,
    }
