"""The pages of topics and groups: sign-up pages show what is saved, and faults stand beside their field."""

from __future__ import annotations

from sqlalchemy import select

from newsletter.models import AuditEntry, Topic, TopicGroup


def add(editor, page: str = "/admin/add-topic", **values: str):
    return editor.post(page, {"slug": "energy", "name": "Energy", **values}, page=page)


def second_newsletter(editor) -> None:
    """Add the newsletter `harbour`."""
    page = "/admin/newsletters/add"
    values = {"slug": "harbour", "name": "Harbour News", "from_address": "desk@harbour.example"}
    assert editor.post(page, values, page=page).status_code == 303


def test_an_added_topic_is_on_the_sign_up_page(house, editor):
    answer = add(editor, description="Power <and> gas")

    assert answer.status_code == 303
    assert answer.location == "/admin/topics/energy"
    assert "Power &lt;and&gt; gas" in house.browser().get("/").text
    assert "Power &lt;and&gt; gas" in editor.get("/admin/topics").text
    assert house.all(select(AuditEntry.action).where(AuditEntry.subject == "energy")) == ["topic.add"]


def test_what_is_wrong_with_a_new_topic_stands_beside_its_field(house, editor):
    add(editor)

    taken = add(editor, name="Kept")
    bad = add(editor, slug="Not a slug", name="x" * 121)

    assert taken.status_code == bad.status_code == 422
    assert "There is already a topic energy" in taken.text
    assert 'value="Kept"' in taken.text
    assert 'id="slug-error"' in bad.text
    assert 'id="name-error"' in bad.text
    assert house.all(select(Topic.slug)) == ["energy"]


def test_a_topic_has_texts_of_its_own_in_each_language(house, editor):
    add(editor)
    page = "/admin/topics/energy?language=lt"

    answer = editor.post(page, {"name": "Energetika", "description": ""}, page=page)

    assert answer.location == page
    assert 'value="Energetika"' in editor.get(page).text
    assert 'value="Energy"' in editor.get("/admin/topics/energy").text
    assert "Energetika" in house.browser().get("/?lang=lt").text
    assert "Energetika" not in house.browser().get("/?lang=en").text


def test_topics_stand_in_their_group(house, editor):
    add(editor)
    add(editor, page="/admin/add-topic", slug="rail", name="Rail")
    made = add(editor, page="/admin/add-topic-group", slug="supply", name="Supply")
    page = "/admin/topics/energy"

    editor.post(page, {"name": "Energy", "group": "supply", "position": "3"}, page=page)

    assert made.location == "/admin/topics"
    listed = editor.get("/admin/topics").text
    assert listed.index(">Rail<") < listed.index(">Supply<") < listed.index(">Energy<")
    assert '<option selected value="supply">' in editor.get(page).text


def test_a_group_is_renamed_in_a_language(house, editor):
    add(editor, page="/admin/add-topic-group", slug="supply", name="Supply")
    page = "/admin/topic-groups/supply?language=lt"

    editor.post(page, {"name": "Tiekimas"}, page=page)
    refused = editor.post("/admin/topic-groups/supply", {"name": "", "position": "first"}, page=page)

    assert 'value="Tiekimas"' in editor.get(page).text
    assert refused.status_code == 422
    assert 'id="name-error"' in refused.text
    assert 'id="position-error"' in refused.text
    (group,) = house.all(select(TopicGroup))
    assert (group.name, group.translations) == ("Supply", {"lt": "Tiekimas"})


def test_the_pages_of_a_newsletter_show_its_topics_only(editor):
    add(editor)
    second_newsletter(editor)

    page = "/admin/add-topic?newsletter=harbour"
    add(editor, page=page, slug="quays", name="Quays")

    own = editor.get("/admin/topics?newsletter=harbour").text
    assert ">Quays<" in own
    assert ">Energy<" not in own
    assert "Topics of Harbour News" in editor.get("/admin/topics/quays").text
    assert ">Quays<" not in editor.get("/admin/topics").text


def test_a_topic_that_does_not_exist_is_not_found(editor):
    assert editor.get("/admin/topics/none").status_code == 404
    assert editor.get("/admin/topic-groups/none").status_code == 404


def test_a_topic_whose_slug_is_the_name_of_a_page_has_its_page(editor):
    add(editor, slug="add", name="Additions")

    assert "Additions" in editor.get("/admin/topics/add").text
