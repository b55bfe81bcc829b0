"""The page of suppressions: find, add, lift with a reason, import, undo and export."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import select

from newsletter.models import AuditEntry, Subscriber, Suppression, SuppressionImport, SuppressionReason
from newsletter.subscribers.suppressions.listing import PER_SLICE
from newsletter.suppression import add, suppression_hash
from newsletter.tokens import Tokens

PAGE = "/admin/suppressions"
READER = "reader@example.org"


@pytest.fixture
def subscriber(house) -> str:
    """A subscriber; returns the public id."""
    house.topic()
    return house.add_subscriber(READER)


def suppress(house, *addresses: str, reason: SuppressionReason = SuppressionReason.HARD_BOUNCE) -> None:
    tokens = Tokens(house.settings.secret_keys)
    with house.make_session() as session:
        people = {each.email_key: each.id for each in session.scalars(select(Subscriber))}
        for address in addresses:
            add(session, suppression_hash(tokens, address), reason, house.clock(), people.get(address))
        session.commit()


def act(editor, path: str = PAGE, **form: object):
    return editor.post(path, form, page=PAGE, follow_redirects=True).text


def suppressed(house) -> int:
    return len(house.all(select(Suppression)))


def test_the_list_shows_an_address_only_while_a_subscriber_has_it(house, editor, subscriber):
    suppress(house, READER, "other@example.org")

    page = editor.get(PAGE).text

    assert READER in page and f"/admin/readers/{subscriber}" in page
    assert "other@example.org" not in page and "not known" in page
    assert "2 addresses" in page and 'href="/admin/suppressions"' in editor.get("/admin/readers").text


def test_filters_and_links_lead_through_the_list(house, editor):
    suppress(house, *(f"p{number}@example.org" for number in range(PER_SLICE + 5)))
    suppress(house, "angry@example.org", reason=SuppressionReason.COMPLAINT)

    first = editor.get(f"{PAGE}?reason=hard_bounce").text
    older = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")

    assert first.count("Allow emails again") == PER_SLICE
    assert editor.get(older).text.count("Allow emails again") == 5
    assert editor.get(f"{PAGE}?reason=complaint").text.count("Allow emails again") == 1
    for odd in ("reason=nonsense", "since=yesterday", "older=x", "newer=1.%00", "until=9999-12-31"):
        assert "Allow emails again" in editor.get(f"{PAGE}?{odd}").text
    assert "No matching entries" in editor.get(f"{PAGE}?until=2020-01-01").text


def test_a_search_takes_a_whole_address_in_any_spelling_and_not_from_the_url(house, editor, subscriber):
    suppress(house, READER)

    assert "Suppressed since" in act(editor, action="find", address=" READER@Example.org ")
    assert f"/admin/readers/{subscriber}" in act(editor, action="find", address=READER)
    assert "Not suppressed." in act(editor, action="find", address="other@example.org")
    assert "has no spaces" in act(editor, action="find", address="a@example.org, b@example.org")


def test_an_address_is_added_by_hand_and_lifted_with_a_reason_in_the_audit_log(house, editor):
    assert "gets no more emails" in act(editor, action="add", address="other@example.org")
    assert "suppressed already" in act(editor, action="add", address="other@example.org")
    assert suppressed(house) == 1

    assert "Say why" in act(editor, action="lift", address="other@example.org", why=" ")
    assert suppressed(house) == 1
    act(editor, action="lift", address="other@example.org", why="other@example.org asked by phone")

    assert suppressed(house) == 0
    entry = house.all(select(AuditEntry).order_by(AuditEntry.id))[-1]
    assert (entry.action, entry.actor) == ("address.unsuppress", "editor@example.org")
    assert entry.detail == {"reason": "manual", "why": "(an address) asked by phone"}


def test_one_row_is_lifted_without_its_address_but_not_that_of_an_erased_person(house, editor):
    suppress(house, "other@example.org", reason=SuppressionReason.COMPLAINT)
    suppress(house, "gone@example.org", reason=SuppressionReason.ERASED)

    assert "marked an email as spam" in editor.get(f"{PAGE}/1").text
    assert "ask them for the address" in editor.get(f"{PAGE}/2").text
    assert "Say why" in act(editor, f"{PAGE}/1")
    act(editor, f"{PAGE}/1", why="they asked")
    act(editor, f"{PAGE}/2", why="they asked")

    (left,) = house.all(select(Suppression))
    assert left.reason is SuppressionReason.ERASED
    assert editor.get(f"{PAGE}/1").status_code == 404


def test_a_file_is_counted_imported_and_undone(house, editor):
    suppress(house, "old@example.org")
    content = b"email\nann@example.org\nold@example.org\nnobody\n"

    def send(action: str, content: bytes = content) -> str:
        return act(editor, f"{PAGE}/import", action=action, file=(io.BytesIO(content), "list.csv"))

    assert "The import would be: 1 new, 1 suppressed already" in send("try")
    assert suppressed(house) == 1 and house.all(select(SuppressionImport)) == []
    assert "Imported: 1 new, 1 suppressed already or twice in the file. Without an address: 1 (line 4)" in (
        send("import")
    )
    assert suppressed(house) == 2
    assert "1 addresses may be emailed again" in act(editor, f"{PAGE}/imports/1/undo")
    assert suppressed(house) == 1
    assert "undone before" in act(editor, f"{PAGE}/imports/1/undo")
    assert "no import 7" in act(editor, f"{PAGE}/imports/7/undo")
    assert "no addresses" in send("import", b"")


def test_the_export_has_the_known_addresses_and_no_formula(house, editor, subscriber):
    house.add_subscriber("=1+1@example.org")
    suppress(house, READER, "=1+1@example.org", "other@example.org")

    answer = editor.post(f"{PAGE}/export", page=PAGE)

    lines = answer.text.splitlines()
    assert lines[0] == "address,reason,since"
    assert [each.split(",")[:2] for each in lines[1:]] == [
        [READER, "hard_bounce"],
        ["'=1+1@example.org", "hard_bounce"],
    ]
    assert answer.mimetype == "text/csv" and "attachment" in answer.headers["Content-Disposition"]
    assert "suppressions.export" in [each.action for each in house.all(select(AuditEntry))]
