from __future__ import annotations

import email
import email.message
import email.policy
import html

import pytest
from encoded_texts import BOTH, TEXTS, assert_fit_for_smtp, ended, without_padding
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.mail.assemble import Frame, FramePart, build_message, digest_marks, field, single_body, slot
from newsletter.mail.headers import (
    from_field,
    join_fields,
    make_boundary,
    mime_fields,
    subject_field,
    to_field,
)
from newsletter.mail.transfer_encoding import Encoding, clean, decode_fragments, encode_fragment

BOUNDARY = make_boundary("test")
HEADERS = [from_field("news@example.org", "The Letter"), *mime_fields(BOUNDARY)]


def parts_of(message: bytes) -> tuple[str, str]:
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(parsed, email.message.EmailMessage)
    assert not parsed.defects
    plain, rich = parsed.iter_parts()
    assert (plain.get_content_type(), rich.get_content_type()) == ("text/plain", "text/html")
    assert not plain.defects + rich.defects
    return plain.get_content().replace("\r\n", "\n"), rich.get_content().replace("\r\n", "\n")


def line(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


@given(TEXTS, TEXTS, TEXTS)
def test_any_single_email_parses_back_to_the_same(text: str, rich: str, subject: str) -> None:
    fields = [*HEADERS, to_field("reader@example.net")]
    try:
        fields.append(subject_field(subject))
    except ValueError:  # nothing left of it but white space
        return

    message = build_message(join_fields(fields), single_body(text, rich, BOUNDARY))

    assert_fit_for_smtp(message)
    plain_again, rich_again = parts_of(message)
    assert without_padding(plain_again) == without_padding(ended(text))
    assert without_padding(rich_again) == without_padding(ended(rich))


LITERALS = st.tuples(TEXTS, TEXTS, TEXTS, TEXTS)


def frame_text(literals: tuple[str, str, str, str], *, mark_last: bool) -> str:
    """Return a frame with the field `a` twice, the field `b`, and two slots, one of them last perhaps."""
    one, two, three, four = map(clean, literals)
    last = slot("foot") if mark_last else ""
    return f"{one}{field('a')}{two}{field('b')}{three}{slot('releases')}{field('a')}{four}{last}"


@given(LITERALS, TEXTS, TEXTS, TEXTS, TEXTS, st.sampled_from(BOTH), st.sampled_from(BOTH), st.booleans())
@example(
    ("x" * 75, ".", "", "\n"),
    ".a",
    "b" * 200,
    "=\r\n.\r\n",
    "From ",
    Encoding.QUOTED_PRINTABLE,
    Encoding.BASE64,
    True,
)
@example(("",) * 4, "", "", "", "", Encoding.BASE64, Encoding.BASE64, False)
def test_any_digest_parses_back_to_its_parts_filled_in(
    literals: tuple[str, str, str, str],
    a: str,
    b: str,
    first: str,
    second: str,
    text_encoding: Encoding,
    html_encoding: Encoding,
    mark_last: bool,
) -> None:
    text = FramePart(frame_text(literals, mark_last=mark_last), text_encoding)
    rich = FramePart(frame_text(literals, mark_last=mark_last), html_encoding)
    fields = {"a": a, "b": b}
    fragments = [
        (encode_fragment(x, text_encoding), encode_fragment(x, html_encoding)) for x in (first, second)
    ]
    releases = (b"".join(x for x, _ in fragments), b"".join(x for _, x in fragments))

    body = Frame(text, rich, BOUNDARY).body(fields, {"releases": releases, "foot": fragments[0]})

    message = build_message(join_fields(HEADERS), body)
    assert_fit_for_smtp(message)
    plain_again, rich_again = parts_of(message)
    one, two, three, four = map(clean, literals)
    for again, value in ((plain_again, clean), (rich_again, lambda text: html.escape(clean(text)))):
        # A slot takes a line of its own; white space before it goes.
        expected = f"{one}{value(a)}{two}{value(b)}" + line(three.rstrip(" \t"))
        expected += ended(first) + ended(second) + value(a)
        expected += line(four.rstrip(" \t")) + ended(first) if mark_last else line(four)
        assert without_padding(again) == without_padding(expected)


@pytest.mark.parametrize("encoding", BOTH)
def test_a_frame_filled_in_reads_line_by_line_as_the_template_did(encoding: Encoding) -> None:
    source = f"Hello\n{slot('contents')}\n{slot('releases')}\nLeave: {field('url')}, bye\n\nEnd\n"
    page = f'<p>x</p>\n<ul>{slot("contents")}</ul>\n{slot("releases")}\n<a href="{field("url")}">Leave</a>\n'
    frame = Frame(FramePart(source, encoding), FramePart(page, encoding), BOUNDARY)
    release = (encode_fragment("One\n\n", encoding), encode_fragment("<h3>One</h3>", encoding))

    body = frame.body({"url": "https://example.org/?a=1&b=2"}, {"releases": release})

    plain, rich = parts_of(build_message(join_fields(HEADERS), body))
    assert without_padding(plain) == "Hello\nOne\n\nLeave: https://example.org/?a=1&b=2, bye\n\nEnd\n"
    assert without_padding(rich) == (
        '<p>x</p>\n<ul>\n</ul>\n<h3>One</h3>\n<a href="https://example.org/?a=1&amp;b=2">Leave</a>\n'
    )


def test_a_page_in_the_browser_is_the_same_frame_filled_in() -> None:
    part = FramePart(f'<p>\n{slot("releases")}\n<a href="{field("url")}">x</a>', Encoding.BASE64)

    page = part.fill({"url": 'https://example.org/"'}, {"releases": "<h3>One</h3>"}, is_html=True)

    assert page == '<p>\n<h3>One</h3>\n<a href="https://example.org/&quot;">x</a>'


@pytest.mark.parametrize("encoding", BOTH)
def test_a_frame_part_is_stored_with_its_marks_and_its_encoding(encoding: Encoding) -> None:
    part = FramePart(f"a\n{slot('releases')}\n{field('url')} ü\n", encoding)

    assert FramePart.load(part.dump()) == part
    assert part.names() == ({"url"}, {"releases"})


def test_a_field_that_is_missing_is_an_error_and_a_slot_that_is_missing_is_empty() -> None:
    frame = Frame(
        FramePart(f"{slot('contents')}\n{field('url')}", Encoding.QUOTED_PRINTABLE),
        FramePart("<p>x</p>", Encoding.QUOTED_PRINTABLE),
        BOUNDARY,
    )

    with pytest.raises(KeyError):
        frame.body({}, {})
    assert parts_of(build_message(join_fields(HEADERS), frame.body({"url": "u"}, {})))[0] == "u\n"


def test_a_frame_makes_the_same_body_again_after_another_subscriber() -> None:
    text = f"{field('url')}\n{slot('releases')}\n"
    for encoding in BOTH:
        frame = Frame(FramePart(text, encoding), FramePart(text, encoding), BOUNDARY)
        one = encode_fragment("one", encoding)
        first = frame.body({"url": "https://a.example"}, {"releases": (one, one)})

        frame.body({"url": "https://b.example"}, {})

        assert frame.body({"url": "https://a.example"}, {"releases": (one, one)}) == first


def test_marks_in_what_a_publisher_wrote_are_nothing() -> None:
    written = f"before{field('unsubscribe_url')}after{slot('releases')}"

    for encoding in BOTH:
        assert decode_fragments(encode_fragment(written, encoding), encoding).strip() == (
            "beforeunsubscribe_urlafterreleases"
        )
    assert set(digest_marks()) >= {"unsubscribe_url", "releases"}


def test_a_boundary_that_could_be_in_a_part_is_refused() -> None:
    part = FramePart("x", Encoding.QUOTED_PRINTABLE)

    with pytest.raises(ValueError, match="boundary"):
        Frame(part, part, "plain")
    with pytest.raises(ValueError, match="boundary"):
        single_body("x", "x", "plain")
