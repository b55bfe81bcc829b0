from __future__ import annotations

import email
import email.message
import email.policy
import re
from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header

import dkim
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.mail import headers
from newsletter.mail.assemble import build_message, single_body
from newsletter.mail.dkim import dns_text, generate_key, load_key, sign
from newsletter.mail.headers import Field, join_fields, one_line

NOON = datetime(2025, 10, 23, 12, 0, 5, tzinfo=UTC)
TEXTS = st.text() | st.text(alphabet='aä =?_\r\n\t\x00"\\<>,.漢é\u0301😀', max_size=200)


def parsed(*fields: Field) -> email.message.EmailMessage:
    message = email.message_from_bytes(join_fields(fields) + b"\r\n", policy=email.policy.default)
    assert isinstance(message, email.message.EmailMessage)
    return message


def assert_canonical(field: Field) -> None:
    """Assert that relaxed canonicalization changes only folds, and that no line is too long."""
    lines = (field.name + b": " + field.value).split(b"\r\n")
    assert b"\r" not in b"".join(lines)
    assert b"\n" not in b"".join(lines)
    assert all(len(line) <= 998 for line in lines)
    assert all(line.startswith(b" ") and line.strip() for line in lines[1:])
    unfolded = field.value.replace(b"\r\n ", b" ")
    assert re.sub(rb"[ \t\r\n]+", b" ", unfolded).strip() == unfolded
    assert not re.search(rb"[\x00-\x1f\x7f]", unfolded)


@given(TEXTS)
@example("=?utf-8?q?already?=")
@example("Zürich: " + "ein sehr langer Betreff " * 20)
@example("x" * 2000)
@example("漢字" * 300)
@example("e" + "\u0301" * 300)
@example("Hello\r\nBcc: victim@example.org")
@example("two  spaces")
def test_any_subject_comes_back_as_it_was_on_one_line(subject: str) -> None:
    if not one_line(subject):
        with pytest.raises(ValueError, match="subject"):
            headers.subject_field(subject)
        return

    field = headers.subject_field(subject)

    assert_canonical(field)
    assert all(len(line) <= 76 for line in (b"Subject: " + field.value).split(b"\r\n"))
    assert field.value.isascii()
    message = parsed(field)
    assert message["Subject"] == one_line(subject)
    assert message.keys() == ["Subject"]


@given(TEXTS)
@example('Smith, John "Jack" \\ Co.')
@example("Ministère de l'Économie")
@example("a" * 70 + ", and more")
@example("=?utf-8?q?x?=")
@example("(comment)")
def test_any_sender_name_comes_back_beside_its_address(name: str) -> None:
    field = headers.from_field("news@example.org", name)

    assert_canonical(field)
    (sender,) = parsed(field)["From"].addresses
    assert sender.addr_spec == "news@example.org"
    assert all(len(line) <= 76 for line in (b"From: " + field.value).split(b"\r\n"))
    if field.value.count(b"=?utf-8?") > 1:
        # The structured parser wrongly puts a space between two encoded words of a phrase (see
        # RFC 2047, section 6.2). The older parser in the same library joins them correctly.
        phrase = field.value.removesuffix(b" <news@example.org>").removesuffix(b"\r\n").decode()
        assert str(make_header(decode_header(phrase))) == one_line(name)
    else:
        assert sender.display_name == one_line(name)


@given(TEXTS)
def test_any_list_name_is_folded_beside_its_id(name: str) -> None:
    field = headers.list_id_field("letter.news.example.org", name)

    assert_canonical(field)
    assert field.value.endswith(b"<letter.news.example.org>")


def test_plain_names_stay_readable_in_the_source() -> None:
    assert headers.from_field("n@example.org", "The Letter").value == b"The Letter <n@example.org>"
    assert headers.from_field("n@example.org", "Letter, The").value == b'"Letter, The" <n@example.org>'
    assert headers.from_field("n@example.org").value == b"n@example.org"
    assert headers.subject_field("Weekly letter").value == b"Weekly letter"
    assert headers.subject_field("News from Riga and Šiauliai").value.startswith(b"=?utf-8?q?News_")
    assert headers.subject_field("漢字").value == b"=?utf-8?b?5ryi5a2X?="


def test_the_fields_of_a_digest() -> None:
    fields = [
        headers.list_id_field("letter.news.example.org", "The Letter"),
        headers.list_unsubscribe_field(
            "https://news.example.org/unsubscribe/tok.en-_", "mailto:u-1-x@example.org?subject=unsubscribe"
        ),
        headers.one_click_field(),
        headers.feedback_id_field("issue7:digest:example"),
        headers.bulk_field(),
    ]

    assert join_fields(fields).decode() == (
        "List-Id: The Letter <letter.news.example.org>\r\n"
        "List-Unsubscribe: <https://news.example.org/unsubscribe/tok.en-_>,\r\n"
        " <mailto:u-1-x@example.org?subject=unsubscribe>\r\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        "Feedback-ID: issue7:digest:example\r\n"
        "Precedence: bulk\r\n"
    )
    assert headers.auto_submitted_field() == (b"Auto-Submitted", b"auto-generated")
    assert headers.list_unsubscribe_field("https://a.example/x").value == b"<https://a.example/x>"


def test_a_message_id_is_a_function_of_the_delivery() -> None:
    assert headers.message_id("4711", "news.example.org") == "<4711@news.example.org>"
    assert headers.message_id_field("4711", "news.example.org").value == b"<4711@news.example.org>"


def test_dates_are_in_utc_and_english() -> None:
    vilnius = timezone(timedelta(hours=3))

    assert headers.date_field(NOON).value == b"Thu, 23 Oct 2025 12:00:05 +0000"
    assert headers.date_field(NOON.astimezone(vilnius)) == headers.date_field(NOON)
    assert headers.date_field(datetime(2026, 3, 1, tzinfo=UTC)).value == b"Sun, 1 Mar 2026 00:00:00 +0000"
    assert parsed(headers.date_field(NOON))["Date"].datetime == NOON


MACHINE = st.text(alphabet="a@.\r\n\x00 \t<>,:\u2028\x85é", min_size=1) | st.text()


@given(MACHINE)
@example("reader@example.org\r\nBcc: x@example.org")
@example("жанна@example.org")
@example("a@" + "b" * 1200)
def test_no_line_break_comes_into_a_field_by_an_address_a_link_or_an_id(value: str) -> None:
    makers = (
        headers.to_field,
        headers.from_field,
        headers.reply_to_field,
        headers.list_unsubscribe_field,
        lambda text: headers.list_unsubscribe_field("https://example.org/" + text, "mailto:a@b.c?" + text),
        headers.list_id_field,
        headers.feedback_id_field,
        lambda text: headers.message_id_field(text, "example.org"),
        lambda text: headers.message_id_field("1", text),
    )
    for make in makers:
        try:
            field = make(value)
        except ValueError:
            continue
        assert_canonical(field)
        assert value.encode() in field.value


@pytest.mark.parametrize("boundary", ["", "plain", "=_", "=_a b", '=_"', "=_a\r\n", "=_" + "a" * 70])
def test_a_boundary_that_could_be_in_a_part_is_refused(boundary: str) -> None:
    with pytest.raises(ValueError, match="boundary"):
        headers.mime_fields(boundary)


@pytest.mark.parametrize(
    "value", ["javascript:alert(1)", "https://example.org/ü", "https://example.org/<>", ""]
)
def test_only_plain_links_can_be_in_list_unsubscribe(value: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        headers.list_unsubscribe_field(value)


@given(TEXTS.filter(one_line), TEXTS)
def test_what_is_built_here_is_signed_so_that_a_verifier_agrees(subject: str, name: str) -> None:
    boundary = headers.make_boundary("issue")
    fields = [
        headers.from_field("news@example.org", name),
        headers.to_field("reader@example.net"),
        headers.subject_field(subject),
        headers.date_field(NOON),
        headers.message_id_field("1", "example.org"),
        headers.list_unsubscribe_field("https://example.org/u/t", "mailto:u@example.org"),
        headers.one_click_field(),
        *headers.mime_fields(boundary),
    ]
    body = single_body(subject, f"<p>{name}</p>", boundary)

    signature = sign(fields, body, [SIGNING_KEY], int(NOON.timestamp()))

    message = signature + build_message(join_fields(fields), body)
    record = dns_text(SIGNING_KEY.private_key).encode()
    assert dkim.verify(message, dnsfunc=lambda *_, **__: record)


SIGNING_KEY = load_key(generate_key("rsa")[0], selector="s", domain="example.org")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Newsletter-Token", "b-12-abcdefghijklmnop"),
        ("X-PM-Metadata-Token", "b-12-abcdefghijklmnop"),
        ("X-Mailin-custom", "b-12-abcdefghijklmnop"),
        ("X-SMTPAPI", '{"unique_args": {"newsletter_token": "b-12-abcdefghijklmnop"}}'),
        ("x-mailgun-variables", '{"newsletter_token": "b-12-abcdefghijklmnop"}'),
        ("X-SES-MESSAGE-TAGS", "newsletter_token=b-12-abcdefghijklmnop"),
    ],
)
def test_the_token_has_the_form_that_the_provider_of_the_header_reads(name: str, value: str):
    field = headers.token_field(name, "b-12-abcdefghijklmnop")

    assert (field.name.decode(), field.value.decode()) == (name, value)
