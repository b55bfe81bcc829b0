from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import AddressInvalid
from newsletter.mail.addresses import Address, address_hash, canonical, parse_address

GOOD = {
    "reader@example.org": "reader@example.org",
    "Reader@Example.ORG": "Reader@example.org",
    "first.last+tag@sub.example.co.uk": "first.last+tag@sub.example.co.uk",
    "  reader@example.org \n": "reader@example.org",
    "\ufeffreader@example.org\u200b": "reader@example.org",
    "o'brien@example.ie": "o'brien@example.ie",
    "_x-1=2@example.com": "_x-1=2@example.com",
    "1@example.com": "1@example.com",
    "reader@xn--bcher-kva.example.com": "reader@xn--bcher-kva.example.com",
    "reader@bücher.de": "reader@xn--bcher-kva.de",
    "reader@例え.jp": "reader@xn--r8jz45g.jp",
    "жанна@example.org": "жанна@example.org",
    "ｔａｒｏ＠example.com": "taro@example.com",
    "\u3000ｔａｒｏ．ｓ＠ｅｘａｍｐｌｅ．ｃｏｍ": "taro.s@example.com",
    "用户@例子.中国": "用户@xn--fsqu00a.xn--fiqs8s",
    "a" * 64 + "@example.org": "a" * 64 + "@example.org",
}

BAD = [
    "",
    "   ",
    "reader",
    "@example.org",
    "reader@",
    "reader@@example.org",
    "reader@example",
    "reader@localhost",
    "reader@host.local",
    "reader@shop.test",
    "reader@[192.0.2.1]",
    "reader@[IPv6:2001:db8::1]",
    '"re ader"@example.org',
    '"reader"@example.org',
    "Reader <reader@example.org>",
    "<reader@example.org>",
    "mailto:reader@example.org x",
    "re ader@example.org",
    "reader@exa mple.org",
    ".reader@example.org",
    "reader.@example.org",
    "re..ader@example.org",
    "reader@example..org",
    "reader@-example.org",
    "reader@example.org-",
    "reader@exam_ple.org",
    "reader@example.123",
    "reader@example.org, other@example.org",
    "reader@example.org;other@example.org",
    "reader@example.org\r\nBcc: other@example.org",
    "reader\r@example.org",
    "reader\n@example.org",
    "reader\x00@example.org",
    "reader\x7f@example.org",
    "reader\u2028@example.org",
    "reader\u202eredaer@example.org",
    "rea\u200bder@example.org",
    "reader\ud800@example.org",
    "(comment)reader@example.org",
    "reader@example.org(comment)",
    "a" * 65 + "@example.org",
    "ж" * 33 + "@example.org",
    "reader@" + "a" * 64 + ".org",
    "reader@" + "a." * 125 + "org",
    "x" * 100_000,
]


@pytest.mark.parametrize(("typed", "mailed"), GOOD.items())
def test_an_address_as_people_type_it_becomes_one_to_email(typed: str, mailed: str) -> None:
    address = parse_address(typed)

    assert address.text == mailed
    assert str(address) == mailed
    assert parse_address(mailed) == address


@pytest.mark.parametrize("typed", BAD)
def test_what_cannot_be_emailed_is_refused_with_a_sentence(typed: str) -> None:
    with pytest.raises(AddressInvalid) as caught:
        parse_address(typed)

    said = str(caught.value)
    assert said.endswith(".")
    assert said[0].isupper()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Reader@Example.org", "reader@example.ORG"),
        ("reader@bücher.de", "Reader@xn--bcher-kva.de"),
        ("ZOË@example.org", "zoe\u0308@example.org"),
        ("ЖАННА@example.org", "жанна@example.org"),
    ],
)
def test_two_spellings_of_one_mailbox_compare_equal(one: str, other: str) -> None:
    assert parse_address(one).canonical == parse_address(other).canonical


@pytest.mark.parametrize("other", ["reader+news@example.org", "re.ader@example.org", "reader@example.com"])
def test_what_a_provider_may_tell_apart_stays_apart(other: str) -> None:
    assert parse_address(other).canonical != parse_address("reader@example.org").canonical


def test_only_a_local_part_outside_ascii_needs_smtputf8() -> None:
    domain_only = parse_address("reader@bücher.de")
    local_part = parse_address("жанна@bücher.de")

    assert (domain_only.needs_smtputf8, domain_only.text) == (False, "reader@xn--bcher-kva.de")
    assert (local_part.needs_smtputf8, local_part.text) == (True, "жанна@xn--bcher-kva.de")
    assert (local_part.local_part, local_part.domain) == ("жанна", "xn--bcher-kva.de")


@given(st.text(max_size=80) | st.emails())
def test_whatever_is_typed_an_address_is_one_line_and_its_key_is_stable(typed: str) -> None:
    try:
        address = parse_address(typed)
    except AddressInvalid:
        return

    assert not any(char.isspace() or char < " " for char in address.text)
    assert address.text.count("@") == 1
    assert len(address.text.encode()) <= 254
    assert canonical(address.canonical) == address.canonical
    assert parse_address(address.text) == address


@given(st.text())
def test_a_canonical_form_is_final(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)


def test_a_suppression_hash_depends_on_the_key_and_hides_the_address() -> None:
    subscriber = Address("reader@example.org", "reader@example.org")

    ours = address_hash(subscriber.canonical, b"k" * 32)

    assert ours == address_hash("reader@example.org", b"k" * 32)
    assert ours != address_hash(subscriber.canonical, b"j" * 32)
    assert len(ours) == 64
    assert "reader" not in ours
    with pytest.raises(ValueError, match="key"):
        address_hash(subscriber.canonical, b"")
