"""Each line of the check before sending fails once, and an issue without faults passes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from house import House

from newsletter.digest.check import (
    DeadLink,
    Facts,
    earlier_audiences,
    find_faults,
    gather_facts,
    links_of,
)
from newsletter.digest.preview import Rendered, preview
from newsletter.models import FIRST_NEWSLETTER, Frequency
from newsletter.outbox.record import finish

GOOD_SAMPLE = Rendered(
    language="en",
    subject="A quay",
    html='<p><img src="a.png" alt=""> <a href="https://port.example/1">A quay</a></p>',
    text="A new quay opens on Monday.",
    html_bytes=500,
    is_cut=False,
    releases=[],
)
GOOD = Facts(
    samples=[GOOD_SAMPLE], postal_address="Quay 7", is_signed=True, relay_failures=[], audience=1000,
    earlier=[990, 1010, 1005], dead_links=[],
)  # fmt: skip


def sample(**changes: object) -> dict[str, object]:
    return {"samples": [replace(GOOD_SAMPLE, **changes)]}


def test_an_issue_without_faults_passes():
    assert find_faults(GOOD) == []


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("relay_unchecked", {"relay_failures": None}),
        ("relay_failed", {"relay_failures": ["It refuses our sender."]}),
        ("no_postal_address", {"postal_address": " "}),
        ("no_dkim", {"is_signed": False}),
        ("unusual_audience", {"audience": 2000}),
        ("unusual_audience", {"audience": 400}),
        ("no_alt_text", sample(html='<p><img src="a.png">Text</p>')),
        ("over_budget", sample(html_bytes=102_401)),
        ("over_budget", sample(is_cut=True)),
        ("template_failed", sample(template_fault="Styles, line 3: x.")),
        ("no_plain_text", sample(text=" \n")),
        ("dead_link", {"dead_links": [DeadLink("https://port.example/1", "the site answers 404")]}),
    ],
)
def test_each_line_fails_once(name: str, changes: dict):
    faults = find_faults(replace(GOOD, **changes))

    assert [each.name for each in faults] == [name]


def test_the_gravest_faults_come_first():
    faults = find_faults(replace(GOOD, audience=2000, is_signed=False, relay_failures=None))

    assert [each.tone for each in faults] == ["bad", "warn", "warn"]


def test_a_small_difference_or_a_first_issue_is_not_unusual():
    few = replace(GOOD, audience=12, earlier=[4, 5, 6])
    first = replace(GOOD, audience=2000, earlier=[])

    assert find_faults(few) == []
    assert find_faults(first) == []


def test_links_to_our_own_pages_are_not_checked():
    more = '<a href="https://news.example.org/x">x</a><a href="mailto:a@b">m</a>'
    shown = replace(GOOD_SAMPLE, html=GOOD_SAMPLE.html + more)

    assert links_of([shown, GOOD_SAMPLE], "https://news.example.org") == ["https://port.example/1"]


def test_the_facts_of_an_issue_are_gathered_in_each_language(house: House):
    energy = house.topic("energy")
    newsletter = house.newsletter("harbour", "en", "de")
    house.topic("ports", newsletter=newsletter)
    house.add_subscriber(energy)
    house.release("An energy cable in the ports")

    with house.runtime.reading() as session:
        shown = preview(
            session, house.runtime.renderer, frequencies=[Frequency.WEEKLY], now=house.clock(),
            newsletter_id=newsletter,
        )  # fmt: skip
        sender = house.runtime.sender(newsletter)
        facts = gather_facts(
            session, house.runtime.renderer, sender, shown, [Frequency.WEEKLY], house.clock()
        )

    assert [each.language for each in facts.samples] == ["en", "de"]
    assert all("An energy cable" in each.text for each in facts.samples)
    assert {each.name for each in find_faults(facts)} == {"relay_unchecked", "no_dkim"}


def test_the_audience_is_compared_with_issues_of_the_same_frequencies(house: House):
    topic = house.topic("energy")
    for _ in range(3):
        house.add_subscriber(topic, frequency=Frequency.WEEKLY)
    house.add_subscriber(topic, frequency=Frequency.DAILY)
    house.release("An energy cable")
    for frequency in (Frequency.WEEKLY, Frequency.DAILY):
        house.send(frequency)
    with house.runtime.session() as session:
        finish(session, house.clock())
        session.commit()

        assert earlier_audiences(session, FIRST_NEWSLETTER, [Frequency.WEEKLY]) == [3]
        assert earlier_audiences(session, FIRST_NEWSLETTER, [Frequency.MONTHLY]) == []


def test_the_preview_for_anybody_has_what_waits_for_at_least_one_subscriber(house: House):
    energy = house.topic("energy")
    house.add_subscriber(energy, frequency=Frequency.WEEKLY)
    house.add_subscriber(energy, frequency=Frequency.DAILY)
    first = house.release("An energy cable")
    house.send(Frequency.DAILY)
    second = house.release("An energy mast")
    chosen = {"frequencies": [Frequency.DAILY, Frequency.WEEKLY], "now": house.clock()}

    with house.runtime.reading() as session:
        usual = preview(session, house.runtime.renderer, **chosen)
        anybody = preview(session, house.runtime.renderer, **chosen, for_anybody=True)

    assert {each.id for each in usual.releases} == {second}
    assert {each.id for each in anybody.releases} == {first, second}
