"""Encode images from outside in a process of their own, with limits of time and memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from newsletter.errors import InputError
from newsletter.isolation.process import IsolatedProcess, ProcessOwner

# The largest image file that is accepted, uploaded or fetched.
MOST_BYTES = 10 * 1024 * 1024
# The most CPU time for one image. A good one takes about half a second.
SECONDS = 5.0


@dataclass(frozen=True)
class Size:
    """An image in one size. `width` and `height` are in pixels."""

    content: bytes
    media_type: str
    width: int
    height: int


@dataclass(frozen=True)
class EncodedImage:
    """An image as this program encoded it: for pages, and for emails."""

    page: Size
    email: Size

    @property
    def hash(self) -> str:
        """SHA-256 of the larger size, in hex."""
        return hashlib.sha256(self.page.content).hexdigest()


class ImageEncoder(ProcessOwner):
    """Encodes images in a child process, for one thread at a time."""

    def __init__(self) -> None:
        super().__init__(IsolatedProcess("newsletter.images.encode", SECONDS))

    def encode(self, document: bytes) -> EncodedImage:
        """Return both sizes of an image. Raises InputError with a sentence that says what is wrong."""
        if not document:
            raise InputError("The image file is empty. Choose another file.")
        if len(document) > MOST_BYTES:
            raise InputError(
                f"The image file is larger than {MOST_BYTES // 1024 // 1024} MB. Make it smaller."
            )
        made = self._process.ask(document, {})
        if made.unreadable:
            raise InputError(made.unreadable)
        end = made.facts["page"]["bytes"]
        return EncodedImage(
            _size(made.facts["page"], made.content[:end]), _size(made.facts["email"], made.content[end:])
        )


def _size(facts: Mapping[str, Any], content: bytes) -> Size:
    return Size(content, facts["media_type"], facts["width"], facts["height"])
