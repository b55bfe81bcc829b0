from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import pytest

from newsletter.models import Topic


class Tags(HTMLParser):
    """Collects the tags of the copied form, each with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def named(self, name: str) -> list[dict[str, str]]:
        return [attributes for _tag, attributes in self.found if attributes.get("name") == name]


def snippet(page: str, name: str) -> str:
    """Return the HTML that a person copies from the page."""
    found = re.search(rf'<pre[^>]*id="{name}"[^>]*>(.*?)</pre>', page, re.S)
    assert found
    return html.unescape(found.group(1))


@pytest.fixture
def topics(house):
    house.topic("harbours")
    house.topic("trains")
    with house.make_session() as session:
        session.query(Topic).filter_by(slug="harbours").update({"name": "Harbours & <quays>"})
        session.commit()


def test_the_form_offers_every_topic_and_frequency_unless_something_was_chosen(topics, editor):
    form = Tags(snippet(editor.get("/admin/embed").text, "embed-form"))

    assert [each["value"] for each in form.named("topics")] == ["harbours", "trains"]
    assert {each["type"] for each in form.named("topics")} == {"checkbox"}
    assert "checked" not in str(form.named("topics"))
    assert len(form.named("frequency")) == 1
    assert form.found[0][1]["action"].endswith("/subscribe/embed?lang=en")
    assert form.found[0][1]["method"] == "post"


def test_it_may_fix_topics_and_frequency(topics, editor):
    page = editor.get("/admin/embed?topic=trains&fixed=yes&frequency=daily&topic=gone").text
    form = Tags(snippet(page, "embed-form"))

    assert [(each["type"], each["value"]) for each in form.named("topics")] == [("hidden", "trains")]
    assert [(each["type"], each["value"]) for each in form.named("frequency")] == [("hidden", "daily")]


def test_it_speaks_the_language_that_was_chosen_and_carries_its_wording(topics, editor):
    text = snippet(editor.get("/admin/embed?language=de").text, "embed-form")

    assert 'lang="de"' in text
    assert "Ich möchte die gewählten Themen" in text
    assert Tags(text).named("wording")[0]["value"] == "2026-12.de"


def test_a_topics_name_cannot_break_out_of_it(topics, editor):
    text = snippet(editor.get("/admin/embed").text, "embed-form")

    assert "Harbours &amp; &lt;quays&gt;" in text


@pytest.mark.parametrize(
    "query", ["next=https://evil.example/", "language=tlh", "frequency=hourly", "topic=%00"]
)
def test_nonsense_in_the_address_chooses_nothing(topics, editor, query):
    answer = editor.get(f"/admin/embed?{query}")
    text = snippet(answer.text, "embed-form")

    assert answer.status_code == 200
    assert "evil" not in text
    assert 'lang="en"' in text
    assert len(Tags(text).named("topics")) == 2


def test_it_has_no_script_of_its_own_and_nothing_is_loaded_from_elsewhere(topics, editor):
    page = editor.get("/admin/embed").text
    form = Tags(snippet(page, "embed-form"))

    assert not [
        attributes for _tag, attributes in form.found if any(name.startswith("on") for name in attributes)
    ]
    assert not [tag for tag, _attributes in form.found if tag in {"script", "img", "iframe", "link", "style"}]
    assert snippet(page, "embed-script").endswith('/embed/1.js" async></script>')


def test_it_says_when_no_site_is_named_yet(topics, editor):
    assert "NEWSLETTER_EMBED_ORIGINS" in editor.get("/admin/embed").text
    assert "No allowed sites yet" in editor.get("/admin/embed").text


def test_with_several_newsletters_the_form_is_for_the_chosen_one(topics, house, editor):
    house.topic("boats", house.newsletter("quay", "Quay Letter"))

    first = editor.get("/admin/embed").text
    second = editor.get("/admin/embed?newsletter=quay").text

    assert '<option value="quay">Quay Letter</option>' in first
    assert [each["value"] for each in Tags(snippet(first, "embed-form")).named("topics")] == [
        "harbours",
        "trains",
    ]
    form = Tags(snippet(second, "embed-form"))
    assert [each["value"] for each in form.named("topics")] == ["boats"]
    assert form.found[0][1]["action"].endswith("/n/quay/embed?lang=en")
