"""Fetch the images of a source's items, each address once, within limits of number and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter.errors import FetchError, InputError
from newsletter.images.encoder import ImageEncoder
from newsletter.ingest.fetch_image import fetch_image
from newsletter.ingest.retrieve import Retriever
from newsletter.ingest.sources.listing import Listed
from newsletter.ingest.sources.reading.read_pages import PagesRead
from newsletter.models import SourceItem

# For one source, at one fetch. What is left follows a minute later.
MOST_IMAGES = 25
MOST_SECONDS = 40.0


@dataclass(frozen=True)
class ImageReader:
    """Reads the images of one source."""

    retriever: Retriever
    encoder: ImageEncoder
    clock: Callable[[], float] = time.monotonic

    def read(self, found: PagesRead, known: Mapping[str, str | None]) -> None:
        """Add the images to what was read. `known` has the address of each stored item's image.

        None there is an item from before this service took images: it gets none. A new item whose image is
        left for the next fetch is not listed yet, so that it never becomes public without its image.
        """
        until, tried, listed = self.clock() + MOST_SECONDS, 0, []
        for each in found.listed:
            url = each.item.image_url
            if not url or known.get(each.key, "") in {None, url}:
                listed.append(each)
            elif tried >= MOST_IMAGES or self.clock() >= until:
                found.unread += 1
                if each.key in known:
                    listed.append(each)
            else:
                tried += 1
                listed.append(each)
                self._take(each, found)
        found.listed = listed

    def _take(self, listed: Listed, found: PagesRead) -> None:
        url = listed.item.image_url
        try:
            found.images[listed.key] = fetch_image(self.retriever, self.encoder, url)
        except FetchError as fault:
            found.problems.append(f"image {url[:200]}: {fault.reason}")
            found.imageless[listed.key] = url
        except InputError as fault:
            found.problems.append(f"image {url[:200]}: {fault}")
            found.imageless[listed.key] = url


def known_images(session: Session, source_id: int, listed: Sequence[Listed]) -> dict[str, str | None]:
    """Return the address of the image of each item that is stored, by its key."""
    keys, found = [each.key for each in listed], {}
    mine = select(SourceItem.key, SourceItem.image_url).where(SourceItem.source_id == source_id)
    for at in range(0, len(keys), 500):
        rows = session.execute(mine.where(SourceItem.key.in_(keys[at : at + 500])))
        found.update({key: url for key, url in rows})
    return found


def note_imageless(session: Session, source_id: int, imageless: Mapping[str, str]) -> None:
    """Note which addresses gave no image, so that they are not fetched again. Commits nothing."""
    for key, url in imageless.items():
        mine = (SourceItem.source_id == source_id, SourceItem.key == key)
        session.execute(update(SourceItem).where(*mine).values(image_url=url))
