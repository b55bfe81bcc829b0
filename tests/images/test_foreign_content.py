"""Other formats in image files."""

from __future__ import annotations

import pytest
from pictures import drawing, photo, polyglots

from newsletter.images.foreign_content import foreign_content


@pytest.mark.parametrize("name", list(polyglots()))
def test_a_file_that_is_something_else_too_is_found(name: str):
    assert foreign_content(polyglots()[name])


def test_images_are_images_alone():
    good = [photo(), photo(kind="WEBP"), photo(60, 40, "GIF"), drawing(), photo(3000, 2000, quality=97)]

    assert [foreign_content(each) for each in good] == [""] * len(good)
