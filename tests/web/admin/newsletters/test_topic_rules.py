"""The page of a topic's rules: they are tried before they are stored, and faults stand beside the field."""

from __future__ import annotations

from sqlalchemy import select

from newsletter.models import Topic, TopicRule


def test_rules_are_tried_without_a_change_and_then_stored(house, editor):
    house.topic()
    house.release("A new quay")
    path = "/admin/topics/harbours/rules"
    rules = {"rules": "any of\nwords: pier\nnot words: quay"}

    tried = editor.post(path, {**rules, "action": "try"})
    assert house.all(select(TopicRule)) == []
    stored = editor.post(path, {**rules, "action": "save"})

    assert "<dt>Would no longer match</dt><dd>1</dd>" in tried.text
    assert "A new quay" in tried.text
    assert stored.status_code == 303
    assert [(each.pattern, each.is_not) for each in house.all(select(TopicRule).order_by(TopicRule.id))] == [
        ("pier", False),
        ("quay", True),
    ]
    assert "not words: quay" in editor.get("/admin/topics/harbours").text


def test_a_fault_stands_beside_the_field_and_the_text_stays(house, editor):
    house.topic()

    answer = editor.post("/admin/topics/harbours/rules", {"rules": "pier", "action": "save"})

    assert answer.status_code == 422
    assert 'id="rules-fault"' in answer.text
    assert "Line 1: begin with “any of” or “all of”." in answer.text
    assert ">pier</textarea>" in answer.text
    assert house.all(select(Topic.slug)) == ["harbours"]
    assert editor.get("/admin/topics/nothing/rules").status_code == 404
