"""Tests of reading feeds of every kind, and of refusing what is no feed or is dangerous."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from newsletter.errors import FeedUnreadable
from newsletter.ingest.feeds.feed import Feed, feed_from_record
from newsletter.ingest.feeds.read import read_feed
from newsletter.mail.clean_html import LONGEST_HTML

URL = "https://press.example/feed"
PROSE = "The harbour opens its new quay on Monday, and all ferries to the islands will use it."


def rss(items: str, *, head: str = "", start: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{start}<rss version="2.0"><channel>'
        f"<title>Harbour Press</title><link>https://press.example/</link>{head}{items}</channel></rss>"
    ).encode()


def item(title: str = "The quay opens", text: str = PROSE, more: str = "") -> str:
    return f"<item><title>{title}</title><description>{text}</description>{more}</item>"


RSS = rss(
    item(
        "Fish &amp;amp; ferries",
        f"&lt;p&gt;{PROSE}&lt;/p&gt;&lt;p&gt;&lt;a href='/plan'&gt;Plan&lt;/a&gt;&lt;/p&gt;",
        "<link>/news/1?a=1&amp;b=2</link><guid isPermaLink='false'>press-1</guid>"
        "<pubDate>Tue, 10 Mar 2026 23:30:00 -0500</pubDate>",
    )
)
ATOM = f"""<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>Harbour Press</title>
<link href="https://press.example/"/><id>tag:press.example,2026:feed</id>
<entry><title type="html">Fish &amp;amp; ferries</title><id>press-1</id>
<link rel="alternate" href="https://press.example/news/1?a=1&amp;b=2"/><updated>2026-03-10T23:30:00-05:00</updated>
<summary>Short.</summary><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>{PROSE}</p>
<p><a href="/plan">Plan</a></p></div></content></entry></feed>""".encode()
RDF = f"""<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="https://press.example/"><title>Harbour Press</title><link>https://press.example/</link></channel>
<item rdf:about="press-1"><title>Fish &amp;amp; ferries</title><link>https://press.example/news/1?a=1&amp;b=2</link>
<description>&lt;p&gt;{PROSE}&lt;/p&gt;&lt;p&gt;&lt;a href="/plan"&gt;Plan&lt;/a&gt;&lt;/p&gt;</description>
<dc:date>2026-03-10T23:30:00-05:00</dc:date></item></rdf:RDF>""".encode()
JSON = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Harbour Press",
        "home_page_url": "https://press.example/",
        "items": [
            {
                "id": "press-1",
                "url": "https://press.example/news/1?a=1&b=2",
                "title": "Fish & ferries",
                "content_html": f"<p>{PROSE}</p><p><a href='/plan'>Plan</a></p>",
                "date_published": "2026-03-10T23:30:00-05:00",
            }
        ],
    }
).encode()


@pytest.mark.parametrize(
    ("data", "kind"),
    [(RSS, "RSS 2.0"), (ATOM, "Atom 1.0"), (RDF, "RSS 1.0"), (JSON, "JSON Feed")],
    ids=["rss", "atom", "rdf", "json"],
)
def test_the_same_item_comes_from_each_kind_of_feed(data: bytes, kind: str):
    feed = read_feed(data, "application/xml", URL)

    (found,) = feed.items
    assert (feed.title, feed.site_url, feed.kind) == ("Harbour Press", "https://press.example/", kind)
    assert (found.guid, found.url) == ("press-1", "https://press.example/news/1?a=1&b=2")
    assert (found.title, found.publisher, found.language) == ("Fish & ferries", "Harbour Press", "en")
    assert found.published == date(2026, 3, 10)
    assert found.published_at == datetime(2026, 3, 11, 4, 30, tzinfo=UTC)
    assert found.paragraphs == (PROSE, "Plan")
    link = '<a href="https://press.example/plan" rel="noopener noreferrer">Plan</a>'
    assert found.body_html.replace("\n", "") == f"<p>{PROSE}</p><p>{link}</p>"


def test_a_feed_survives_its_way_through_json():
    feed = read_feed(RSS, "application/rss+xml", URL)

    assert feed_from_record(json.loads(json.dumps(feed.as_record()))) == feed


@pytest.mark.parametrize(
    ("content_type", "encoding", "declared"),
    [
        ("text/xml", "utf-8", "utf-8"),
        ("text/xml; charset=utf-8", "utf-8", "iso-8859-1"),
        ("application/xml", "utf-16", "utf-16"),
        ("", "windows-1251", "windows-1251"),
        ("application/rss+xml", "shift_jis", "shift_jis"),
        ("application/rss+xml", "utf-8", "no-such-charset"),
    ],
)
def test_a_charset_is_found_although_header_or_declaration_is_wrong(content_type, encoding, declared):
    title = {"windows-1251": "Гавань открыта", "shift_jis": "新しい桟橋"}.get(encoding, "Zoë's quay 桟橋")
    text = rss(item(title)).decode().replace('encoding="utf-8"', f'encoding="{declared}"')

    feed = read_feed(text.encode(encoding), content_type, URL)

    assert [each.title for each in feed.items] == [title]


def test_an_item_without_title_gets_its_first_sentence_and_one_without_words_is_left_out():
    feed = read_feed(rss(item("", PROSE) + item("", "") + item("...", "&lt;img src=x&gt;")), "", URL)

    assert [each.title for each in feed.items] == [PROSE.rstrip(".")]
    assert feed.skipped == 2


def test_a_text_between_the_old_and_the_present_limit_is_whole():
    (found,) = read_feed(rss(item(text=f"{'All ferries use it. ' * 25_000}The end.")), "", URL).items

    assert (found.body.endswith("The end."), found.doubts) == (True, ())


def test_a_field_that_is_too_long_is_cut_and_doubtful():
    long = rss(
        item("Quay " * 300, "All ferries use it. " * 51_000, f"<source url='/'>{'Press ' * 60}</source>")
    )

    (found,) = read_feed(long, "", URL).items

    assert found.doubts == ("title", "publisher", "text")
    assert (len(found.title), len(found.publisher)) == (1_000, 300)
    assert 990_000 < len(found.body) <= LONGEST_HTML
    assert feed_from_record(json.loads(json.dumps(read_feed(long, "", URL).as_record()))).items == (found,)


def test_a_picture_inside_a_text_does_not_count_as_text():
    picture = f'&lt;img alt="1 > 0" src="data:image/png;base64,{"iVBORw0K" * 150_000}"&gt;'

    (found,) = read_feed(rss(item(text=f"{PROSE} {picture} The end.")), "", URL).items

    assert (found.body, found.doubts) == (f"{PROSE} The end.", ())


@pytest.mark.parametrize(("of_page", "kept"), [((), ("title",)), (("title", "text"), ("title", "text"))])
def test_the_text_of_a_page_is_as_doubtful_as_it_was_there(of_page: tuple[str, ...], kept: tuple[str, ...]):
    (found,) = read_feed(rss(item()), "", URL).items

    made = replace(found, doubts=("title", "text")).with_text_of(replace(found, doubts=of_page))

    assert made.doubts == kept


def test_an_item_without_a_date_has_none():
    (found,) = read_feed(rss(item()), "", URL).items

    assert (found.published, found.published_at) == (None, None)


def test_items_keep_their_own_publisher():
    own = "<source url='https://other.example/feed'>The Ministry</source>"

    (found,) = read_feed(rss(item(more=own)), "", URL).items

    assert found.publisher == "The Ministry"


def test_scripts_and_links_that_run_code_do_not_come_in():
    evil = item(
        "&lt;script&gt;alert(1)&lt;/script&gt;&lt;b onclick=x&gt;Quay&lt;/b&gt; opens",
        "&lt;a href='javascript:alert(2)'&gt;" + PROSE + "&lt;/a&gt;&lt;img src=x onerror=alert(3)&gt;",
        "<link>javascript:alert(4)</link><guid>javascript:alert(5)</guid>",
    )

    (found,) = read_feed(rss(evil), "", URL).items

    assert found.title == "Quay opens"
    assert found.url == ""
    assert found.body_html == f'<a rel="noopener noreferrer">{PROSE}</a>'


def test_a_document_that_names_a_local_file_opens_no_file(tmp_path: Path):
    """feedparser would open it if it got the bytes and not a BytesIO."""
    secret = tmp_path / "secret.xml"
    secret.write_bytes(rss(item("The secret")))

    for named in (str(secret), f"file://{secret}", f" {secret}\n"):
        with pytest.raises(FeedUnreadable, match="not a feed"):
            read_feed(named.encode(), "application/rss+xml", URL)


@pytest.mark.parametrize(
    "data",
    [
        rss(item("&a;"), start='<!DOCTYPE rss [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'),
        rss(item("&x;"), start='<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
        rss(item("x"), start='<!DOCTYPE rss [<!ENTITY % x SYSTEM "http://127.0.0.1/x.dtd"> %x;]>'),
        rss(item("x"), start="<!doctype rss [\n<!element a (b)>]>"),
        rss(item("x"), start="<!DOCTYPE rss [<!ENTITY a 'b'>]><broken>"),
        rss(item("x"), start='<!DOCTYPE rss [<!ENTITY a "b">]>')
        .decode()
        .replace("utf-8", "utf-16")
        .encode("utf-16"),
    ],
)
def test_entities_of_its_own_make_a_feed_unreadable(data: bytes):
    with pytest.raises(FeedUnreadable, match="entities of its own"):
        read_feed(data, "application/xml", URL)


def test_a_doctype_that_only_names_its_kind_is_harmless():
    start = '<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://127.0.0.1:9/rss-0.91.dtd">'

    assert len(read_feed(rss(item(), start=start), "", URL).items) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (rss(item() * 2_001), "more than 2,000 items"),
        (rss("<item>" * 2_001), "more than 2,000 items"),
        (json.dumps({"items": [{}] * 2_001}).encode(), "more than 2,000 items"),
        (rss("<a>" * 200 + "</a>" * 200), "more than 100 deep"),
        (rss("<a/>" * 200_001), "more than 200,000 elements"),
        (b'{"items": ' + b"[" * 100_000, "can be read"),
        (b'{"title": "x"}', "no list of items"),
        (b"", "empty"),
        (b"\xef\xbb\xbf \n", "empty"),
        (b"<html><head><title>x</title></head></html>", "a web page"),
        (b"just words", "not a feed"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not a feed"),
    ],
)
def test_a_document_that_is_no_feed_or_too_much_says_so(data: bytes, words: str):
    with pytest.raises(FeedUnreadable, match=words):
        read_feed(data, "", URL)


def test_a_page_names_the_feed_that_it_has():
    page = b'<!doctype html><html><head><link rel="alternate" type="application/rss+xml" href="/rss">'

    with pytest.raises(FeedUnreadable, match=r"It names a feed: https://press\.example/rss"):
        read_feed(page, "text/html", URL)


def test_broken_xml_is_read_as_far_as_it_goes():
    data = rss(item() + item("Ferries & fish")).replace(b"</channel></rss>", b"")

    feed = read_feed(data, "", URL)

    assert isinstance(feed, Feed)
    assert [each.title for each in feed.items] == ["The quay opens", "Ferries & fish"]


def test_categories_of_every_kind_of_feed_become_tags():
    many = "".join(f"<category>c{each}</category>" for each in range(40))
    in_rss = read_feed(rss(item(more=f"<category>Energy  policy</category>{many}")), "", URL)
    atom = ATOM.replace(
        b"<summary>", b'<category term="en-pol" label="Energy policy"/><category term="sea"/><summary>'
    )
    in_json = json.loads(JSON)
    in_json["items"][0]["tags"] = ["Energy policy", 3, "sea"]

    tags = in_rss.items[0].tags
    assert (tags[0], len(tags)) == ("Energy policy", 30)
    assert read_feed(atom, "", URL).items[0].tags == ("Energy policy", "sea")
    found = read_feed(json.dumps(in_json).encode(), "application/feed+json", URL)
    assert found.items[0].tags == ("Energy policy", "sea")
    assert feed_from_record(found.as_record()).items[0].tags == ("Energy policy", "sea")
