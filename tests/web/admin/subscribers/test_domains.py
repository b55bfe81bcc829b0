"""The page of rules for domains."""

from __future__ import annotations

from sqlalchemy import select

from newsletter.models import AddressRule, AuditEntry, RuleKind

PAGE = "/admin/domains"


def act(editor, **form: object):
    return editor.post(PAGE, {"action": "add", **form}, follow_redirects=True).text


def patterns(house) -> list[tuple[str, str, RuleKind]]:
    return [(each.local, each.host, each.kind) for each in house.all(select(AddressRule))]


def test_a_rule_is_added_shown_and_removed_with_audit(house, editor):
    assert "never accepted" in act(
        editor, pattern="Bücher.example.org", kind="never_accepted", note="<b>spam</b>"
    )
    assert patterns(house) == [("*", "xn--bcher-kva.example.org", RuleKind.NEVER_ACCEPTED)]
    page = editor.get(PAGE).text
    assert "xn--bcher-kva.example.org" in page and "&lt;b&gt;spam" in page
    assert "already" in act(editor, pattern="bücher.example.org", kind="allowed")

    assert "is removed" in act(editor, pattern="xn--bcher-kva.example.org", action="remove")
    assert patterns(house) == []
    assert "no rule" in act(editor, pattern="xn--bcher-kva.example.org", action="remove")
    assert [each.action for each in house.all(select(AuditEntry).order_by(AuditEntry.id))][-2:] == [
        "domain.add",
        "domain.remove",
    ]


def test_a_rule_that_stops_subscribers_asks_with_their_number(house, editor):
    house.topic()
    for name in ("ann", "bob"):
        house.add_subscriber(f"{name}@example.org")

    page = act(editor, pattern="example.org", kind="never_mailed")
    assert "Are you sure?" in page and "get no more emails" in page and patterns(house) == []
    house.add_subscriber("cat@example.org")
    assert "Are you sure?" in act(editor, pattern="example.org", kind="never_mailed", number=2)
    assert patterns(house) == []

    act(editor, pattern="example.org", kind="never_mailed", number=3)

    assert patterns(house) == [("*", "example.org", RuleKind.NEVER_MAILED)]


def test_a_mistaken_star_is_refused_or_asked_about(house, editor):
    for everybody in ("*", "*@*", "**@*"):
        assert "means every address" in act(editor, pattern=everybody, kind="never_accepted", number=0)
    assert "Are you sure?" in act(editor, pattern="*.org", kind="never_accepted")
    assert "Are you sure?" in act(editor, pattern="news@*", kind="never_mailed")
    assert "suppress it" in act(editor, pattern="ann@example.org", kind="never_mailed")
    assert "Choose what" in act(editor, pattern="example.org", kind="nonsense")
    assert patterns(house) == []


def test_the_page_of_a_subscriber_names_the_rule_that_stops_their_emails(house, editor):
    house.topic()
    public_id = house.add_subscriber("ann@example.org")
    assert "rule for its domain" not in editor.get(f"/admin/readers/{public_id}").text

    act(editor, pattern="example.org", kind="never_mailed", number=1)

    assert "rule for its domain" in editor.get(f"/admin/readers/{public_id}").text
