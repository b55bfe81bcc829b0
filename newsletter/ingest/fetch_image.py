"""Fetch the lead image of a release through the guard, and encode it again."""

from __future__ import annotations

from newsletter.errors import FetchError
from newsletter.images.encoder import EncodedImage, ImageEncoder
from newsletter.ingest.retrieve import Retriever

ACCEPT = "image/webp, image/jpeg, image/png, image/gif;q=0.8, */*;q=0.1"


def fetch_image(retriever: Retriever, encoder: ImageEncoder, url: str) -> EncodedImage:
    """Return the image at a URL in our two sizes. Raises FetchError, and InputError for what is no image.

    The type that the server names does not matter: the content decides.
    """
    with retriever.get(url, {"Accept": ACCEPT}) as found:
        if found.status != 200:
            raise FetchError(url, f"the server answers {found.status}")
        return encoder.encode(found.read())
