"""The list of retention steps: names, settings, and a kind of data that is kept forever."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from newsletter.settings import Settings
from newsletter.subscribers.privacy.retention.policy import Policy
from newsletter.subscribers.privacy.retention.steps import STEPS


def test_each_step_has_a_name_of_its_own_and_a_setting_that_exists():
    names = [step.name for step in STEPS]
    known = {each.name for each in fields(Settings)}

    assert len(set(names)) == len(names)
    assert {step.setting for step in STEPS if step.setting} <= known
    assert {step.name for step in STEPS if not step.variable} == {"disowned"}
    assert STEPS[0].variable == "NEWSLETTER_PENDING_DAYS"


@pytest.mark.parametrize(
    ("kept", "names"),
    [
        ("mail_days", {"mails", "replies", "idle-reports", "reports", "forms", "moves"}),
        ("issue_days", {"issues"}),
        ("ip_days", {"ips"}),
        ("left_days", {"left"}),
    ],
)
def test_zero_days_keep_that_data_forever_and_delete_the_rest(house, kept, names):
    policy = replace(Policy(house.clock()), **{kept: 0})

    assert {step.name for step in STEPS if step.due(policy) is None} == names


def test_every_step_finds_nothing_in_an_empty_database(either_house):
    policy = Policy(either_house.clock())

    with either_house.runtime.reading() as session:
        for step in STEPS:
            for query in (step.due(policy), step.counted(policy) if step.counted else None):
                assert query is None or session.scalars(query).all() == [], step.name
