"""Tests of `newsletter source`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from house import ENVIRON, House
from press_site import News, Site
from servers.web import WebServer, answer, serving

from newsletter.cli import main


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def site(server: WebServer):
    made = Site(server)
    made.show(News("The quay opens", "1"), News("The ferry is late", "2", "Fog keeps it in the harbour."))
    return made


@pytest.fixture
def run(house: House, tmp_path: Path):
    """Run a command on the database of `house`."""
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(tmp_path), "NEWSLETTER_FETCH_ALLOW": "127.0.0.0/8"}
    with house.runtime.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        newest = max(path.name[:4] for path in Path("migrations/versions").glob("0*.py"))
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{newest}')")
        connection.commit()

    def call(*words: str, status: int = 0) -> Result:
        done = CliRunner().invoke(main, ["--env-file", "", *words], env=environ)
        assert done.exit_code == status, done.output
        return done

    return call


def add(run, url: str, *more: str) -> str:
    return run("source", "add", url, *more).output.split()[0]


def test_from_a_feed_to_a_ready_release(run, site: Site):
    run("topic", "add", "quay", "Quays", "--words", "quay")
    source = add(run, site.url, "--backlog", "1", "--settle", "0")

    assert "1 new" not in run("source", "list").output
    polled = run("source", "poll").output
    assert "2 new, 0 changed" in polled
    assert "Fetched: 1. New releases: 2. Failed: 0." in polled

    ready, kept = (json.loads(line) for line in run("release", "list", "--json").output.splitlines())
    if ready["kept_back"]:
        ready, kept = kept, ready
    assert (ready["title"], ready["state"], ready["topics"]) == ("The quay opens", "ready", ["quay"])
    assert (kept["title"], kept["kept_back"]) == ("The ferry is late", True)
    assert "kept back" in run("release", "list").output
    run("release", "send-after-all", kept["id"])
    run("release", "send-after-all", kept["id"], status=1)
    shown = run("source", "show", source).output
    assert "2 items" in shown
    assert "read; 2 new" in shown
    assert "The ferry is late" in shown


def test_a_settling_release_says_why_it_is_held(run, site: Site):
    add(run, site.url, "--backlog", "all")
    run("source", "poll")

    assert "settling: held until its source shows it unchanged" in run("release", "list").output


def test_a_source_is_tried_before_it_is_added(run, site: Site, server: WebServer):
    run("topic", "add", "quay", "Quays", "--words", "quay")
    link = f'<link rel="alternate" type="application/rss+xml" href="{site.path}">'
    server.answers["/"] = answer(f"<html><head>{link}</head></html>".encode())

    tried = run("source", "try", server.url("/")).output
    as_json = run("source", "try", site.url, "--json", "--limit", "1").output

    assert f"The page {server.url('/')} names it." in tried
    assert "no date     The quay opens  [quay]" in tried
    assert "The ferry is late  [no topic]" in tried
    assert json.loads(as_json)["topics"] == ["quay"]
    assert run("source", "list").output == ""


def test_a_source_is_polled_now_paused_resumed_and_removed(run, site: Site):
    source = add(run, site.url)
    run("source", "poll")
    assert json.loads(run("source", "poll", source, "--now", "--json").output)["outcome"] == "unchanged"
    run("source", "pause", source)
    assert "paused by hand" in run("source", "list").output
    assert "resume" in run("source", "poll", source, "--now", status=1).output
    run("source", "resume", source)
    assert json.loads(run("source", "list", "--json").output)["state"] == "active"
    assert run("source", "poll", source, status=2)
    assert run("source", "poll", "--now", status=2)
    run("source", "remove", source)
    assert run("source", "list").output == ""
    run("source", "show", source, status=1)


def test_a_failed_fetch_says_so_with_exit_status_1(run, server: WebServer):
    add(run, server.url("/missing"))

    assert "The server answers 404 (not found)." in run("source", "poll", status=1).output
    assert "failed 1 times" in run("source", "list").output


def test_a_list_of_feeds_comes_in_and_goes_out(run, site: Site, tmp_path: Path):
    file = tmp_path / "feeds.opml"
    file.write_text(
        f'<opml version="2.0"><body><outline text="Harbour" xmlUrl="{site.url}"/>'
        '<outline text="Inside" xmlUrl="http://10.0.0.1/"/></body></opml>'
    )

    assert "Added: 1. Known already: 0. Not added: 1." in run("source", "import", str(file), status=1).output
    assert "Added: 0. Known already: 1. Not added: 1." in run("source", "import", str(file), status=1).output
    made = run("source", "export").output

    assert f'xmlUrl="{site.url}"' in made
    assert 'title="Harbour"' in made


def test_a_folder_is_a_source(run, tmp_path: Path):
    folder = tmp_path / "in"
    folder.mkdir()

    source = add(run, str(folder), "--folder")

    assert json.loads(run("source", "list", "--json").output)["kind"] == "folder"
    assert "0 items" in run("source", "show", source).output
    assert "xmlUrl" not in run("source", "export").output


def test_a_page_with_links_is_a_source(run, server: WebServer):
    link = "<li>3 March 2026 <a href='/news/1'>The quay opens to all ferries</a></li>"
    text = "<p>All ferries use the new quay from April on, said the port's director.</p>"
    server.answers |= {
        "/news": answer(f"<!doctype html><title>Port</title><ul>{link}</ul>".encode()),
        "/news/1": answer(f"<!doctype html><h1>The quay opens to all ferries</h1>{text}".encode()),
    }
    url = server.url("/news")

    tried = run("source", "try", url).output
    refused = run("source", "try", url, "--select", "a", status=2).output
    both = run("source", "add", url, "--page", "--folder", status=2).output
    public_id = add(run, url, "--page", "--pattern", "/news/*", "--settle", "0")
    run("source", "poll", public_id, "--now")

    assert "(Page, 1 items)" in tried
    assert "2026-03-03  The quay opens to all ferries" in tried
    assert "need --page" in refused
    assert "not both" in both
    assert "The quay opens to all ferries" in run("source", "show", public_id).output
    assert json.loads(run("source", "list", "--json").output)["pattern"] == "/news/*"
    assert "/news" not in run("source", "export").output
