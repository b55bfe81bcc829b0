"""`newsletter release edit`: images, and titles in capitals. And the image of a release from a URL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from house import ENVIRON, House, public_id
from pictures import SVG, photo
from servers.web import WebServer, answer, serving

from newsletter.cli import main
from newsletter.models import Release

PAGE = """<!doctype html><html lang="en"><title>The ferry gets a new quay</title>
<body><article><h1>The ferry gets a new quay</h1><img src="/quay.jpg" alt="The quay at dawn">
<p>The harbour opened its new quay on Monday, and all ferries of the northern line use it from now on.</p>
</article></body></html>"""


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving() as made:
        yield made


def run(owner: House, *words: str) -> Result:
    data = str(owner.runtime.settings.data_dir)
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": data, "NEWSLETTER_FETCH_ALLOW": "127.0.0.0/8"}
    return CliRunner().invoke(main, words, env=environ)


def stored(owner: House) -> Release:
    return owner.all(Release)[0]


def test_an_image_is_added_with_a_description_and_removed(owner: House, tmp_path: Path):
    owner.topic("harbours")
    release = public_id(owner, owner.release("A new quay"))
    (tmp_path / "quay.jpg").write_bytes(photo())
    file = ("--image", str(tmp_path / "quay.jpg"))

    bare = run(owner, "release", "edit", release, *file)
    added = run(owner, "release", "edit", release, *file, "--image-alt", "A quay")
    with_it = stored(owner)
    removed = run(owner, "release", "edit", release, "--no-image")

    assert (bare.exit_code, added.exit_code, removed.exit_code) == (1, 0, 0)
    assert "Describe the image" in bare.stderr
    assert (bool(with_it.image_hash), with_it.image_alt, with_it.revision) == (True, "A quay", 2)
    assert (stored(owner).image_hash, stored(owner).revision) == (None, 3)


def test_a_file_that_is_no_image_is_refused(owner: House, tmp_path: Path):
    release = public_id(owner, owner.release("A new quay"))
    (tmp_path / "quay.svg").write_bytes(SVG)

    refused = run(owner, "release", "edit", release, "--image", str(tmp_path / "quay.svg"))

    assert refused.exit_code == 1
    assert "holds a web page or a script" in refused.stderr


def test_a_title_in_capitals_becomes_a_sentence(owner: House):
    release = public_id(owner, owner.release("PORT OPENS A NEW QUAY"))

    run(owner, "release", "edit", release, "--sentence-case")

    assert stored(owner).title == "Port opens a new quay"


def test_a_release_from_a_url_comes_with_its_image(owner: House, server: WebServer):
    server.answers |= {"/news": answer(PAGE.encode()), "/quay.jpg": answer(photo())}

    added = run(owner, "release", "add", server.url("/news"))

    assert added.exit_code == 0, added.output
    assert (bool(stored(owner).image_hash), stored(owner).image_alt) == (True, "The quay at dawn")


def test_a_release_is_added_without_an_image_that_is_refused(owner: House, server: WebServer):
    server.answers |= {"/news": answer(PAGE.encode()), "/quay.jpg": answer(SVG)}

    added = run(owner, "release", "add", server.url("/news"))

    assert added.exit_code == 0
    assert "was not taken" in added.stderr
    assert stored(owner).image_hash is None


def test_a_release_is_written_with_topics_and_an_image_and_is_held(owner: House, tmp_path: Path):
    owner.topic("harbours")
    (tmp_path / "quay.md").write_text("It is **open**.\n")
    (tmp_path / "quay.jpg").write_bytes(photo())
    words = ["--title", "A new quay", "--text", str(tmp_path / "quay.md"), "--topic", "harbours"]
    image = ["--image", str(tmp_path / "quay.jpg")]

    bare = run(owner, "release", "write", *words, *image)
    made = run(owner, "release", "write", *words, *image, "--image-alt", "A quay")

    assert (bare.exit_code, made.exit_code) == (1, 0)
    assert "Describe the image" in bare.stderr
    found = stored(owner)
    assert (found.title, found.state, found.image_alt) == ("A new quay", "held", "A quay")
    assert found.body_html == "<p>It is <strong>open</strong>.</p>"
    assert "harbours" in made.stdout


def test_the_corrections_of_a_release_are_printed(owner: House):
    release = public_id(owner, owner.release("A new quay"))
    run(owner, "release", "edit", release, "--title", "A new pier")

    printed = run(owner, "release", "corrections", release).stdout

    assert "Revision 2," in printed
    assert "A new [-quay-]{+pier+}" in printed
