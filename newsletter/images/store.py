"""Store images by their content, find those that visitors may see, and delete those that nothing names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, exists, select, update
from sqlalchemy.orm import Session, undefer

from newsletter.errors import InputError, NotFound
from newsletter.images.encoder import EncodedImage
from newsletter.models import Release, ReleaseRevision, StoredImage, insert_new, public_now

# An image that was uploaded waits so long for its form to be saved.
UNUSED_FOR = timedelta(days=3)
_FILE_NAME = re.compile(r"([0-9a-f]{64})(-email)?\.(?:jpg|png)")


def store_image(session: Session, image: EncodedImage, now: datetime) -> str:
    """Store an image, unless it is stored already; return its hash. Commits nothing."""
    row = insert_new(session, StoredImage).values(
        hash=image.hash,
        media_type=image.page.media_type,
        width=image.page.width,
        height=image.page.height,
        content=image.page.content,
        email_media_type=image.email.media_type,
        email_width=image.email.width,
        email_height=image.email.height,
        email_content=image.email.content,
        created_at=now,
    )
    session.execute(row)
    keep_image(session, image.hash, now)
    return image.hash


def keep_image(session: Session, image_hash: str | None, now: datetime) -> None:
    """Make sure that an image is there and stays, until its release is committed. Raises InputError.

    None is no image.
    """
    if image_hash is None:
        return
    # This locks the row, so `delete_unused` sees the release that is about to name it.
    touched = update(StoredImage).where(StoredImage.hash == image_hash).values(created_at=now)
    if not session.execute(touched.returning(StoredImage.hash)).all():
        raise InputError("The image is not stored any more. Choose its file again.")


def find_image(session: Session, image_hash: str | None) -> StoredImage | None:
    """Return an image without its bytes, or None."""
    return session.get(StoredImage, image_hash) if image_hash else None


def find_images(session: Session, hashes: Iterable[str | None]) -> dict[str, StoredImage]:
    """Return images without their bytes, by their hashes."""
    wanted = {each for each in hashes if each}
    if not wanted:
        return {}
    return {
        each.hash: each for each in session.scalars(select(StoredImage).where(StoredImage.hash.in_(wanted)))
    }


def find_public_file(session: Session, file_name: str, now: datetime) -> tuple[bytes, str]:
    """Return the bytes and the media type of a size of an image, if a release that is public now has it.

    An earlier text of such a release counts too, if visitors saw it: emails that were sent load its image.
    Raises NotFound.
    """
    image_hash = read_file_name(file_name)
    mine = exists().where(Release.image_hash == image_hash, Release.image_alt != "", public_now(now))
    earlier = (
        exists()
        .where(ReleaseRevision.image_hash == image_hash, ReleaseRevision.image_alt != "")
        .where(ReleaseRevision.made_public_at.is_not(None), ReleaseRevision.release_id == Release.id)
        .where(public_now(now))
    )
    if not (session.scalar(select(mine)) or session.scalar(select(earlier))):
        raise NotFound(f"There is no public image {image_hash}.")
    return read_file(session, file_name)


def read_file(session: Session, file_name: str) -> tuple[bytes, str]:
    """Return the bytes and the media type of a size of an image. Raises NotFound."""
    image_hash = read_file_name(file_name)
    is_email = "-email." in file_name
    column = StoredImage.email_content if is_email else StoredImage.content
    found = session.scalar(select(StoredImage).options(undefer(column)).where(StoredImage.hash == image_hash))
    if found is None or file_name not in {found.file_name, found.email_file_name}:
        raise NotFound(f"There is no image {image_hash}.")
    return (found.email_content, found.email_media_type) if is_email else (found.content, found.media_type)


def read_file_name(file_name: str) -> str:
    """Return the hash in a file name. Raises NotFound."""
    matched = _FILE_NAME.fullmatch(file_name)
    if matched is None:
        raise NotFound("This is not the name of an image.")
    return matched[1]


def delete_unused(session: Session, now: datetime) -> int:
    """Delete the images that no release and no revision names; return how many. Commits nothing."""
    old = StoredImage.created_at < now - UNUSED_FOR
    chosen = session.execute(delete(StoredImage).where(old, _is_unused()).returning(StoredImage.hash)).all()
    return len(chosen)


def _is_unused() -> ColumnElement[bool]:
    of_release = exists().where(Release.image_hash == StoredImage.hash)
    of_revision = exists().where(ReleaseRevision.image_hash == StoredImage.hash)
    return ~of_release & ~of_revision
