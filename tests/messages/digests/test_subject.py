"""The owner's template of a digest's subject."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from house import House

from newsletter.errors import FieldsInvalid
from newsletter.messages.digests.subject import check_template, fill_template
from newsletter.newsletters.edit import edit_newsletter


def set_subject(house: House, template: str) -> None:
    with house.runtime.session() as session:
        edit_newsletter(
            session, house.runtime.settings, {"subject": template}, actor="test", now=house.clock()
        )
        session.commit()


def subjects(house: House) -> list[str]:
    return [
        str(message_from_bytes(each.content, policy=policy.default)["Subject"])
        for each in house.transport.sent
    ]


def test_the_subject_of_an_issue_follows_the_template_for_each_selection(either_house: House):
    house = either_house
    energy, sea = house.topic("energy"), house.topic("sea")
    house.add_subscriber(energy)
    house.add_subscriber(energy, sea)
    set_subject(house, "{newsletter} {number}: {headline}{more}")
    house.release("A new energy cable")
    house.release("A whale in the sea")

    house.send()

    assert sorted(subjects(house)) == [
        "The Release Letter No. 1: A new energy cable",
        "The Release Letter No. 1: A new energy cable, and 1 more",
    ]


def test_without_a_template_the_subject_is_the_usual_one(house: House):
    house.add_subscriber(house.topic("energy"))
    set_subject(house, "{date}")
    set_subject(house, "")
    house.release("A new energy cable")

    house.send()

    assert subjects(house) == ["A new energy cable"]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{headline} {unknown}", "has an unknown field {unknown}. The fields are {headline}, {more}"),
        ("{headline.title}", "has an unknown field"),
        ("{0}", "has an unknown field"),
        ("{headline", "has a brace"),
        ("{{headline}}", "has a brace"),
        ("{headline}\nBcc: all@example.org", "has a line break"),
        ("{headline}\x00", "cannot be printed"),
        ("{more}", "can be empty"),
        ("x" * 201, "at most 200"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_with_a_sentence(house: House, template: str, words: str):
    with pytest.raises(FieldsInvalid) as refused:
        set_subject(house, template)

    (sentence,) = refused.value.faults.values()
    assert sentence.startswith("Subject of issues ")
    assert words in sentence


def test_a_value_that_looks_like_a_field_is_not_filled_again():
    template = check_template(" {newsletter}: {headline} ")

    assert (
        fill_template(template, {"newsletter": "{headline}", "headline": "A\r\nquay"}) == "{headline}: A quay"
    )
