"""The retention policy: from settings in days to times."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from house import NOON, make_settings

from newsletter.errors import SettingsError
from newsletter.subscribers.privacy.retention.policy import Policy


def test_somebody_pending_is_kept_as_long_as_a_link_lives(tmp_path: Path) -> None:
    policy = Policy.of(make_settings(tmp_path, pending_days="5", confirm_days="30"), NOON)

    assert policy.asked_before == policy.link_lives_since == NOON - timedelta(days=30)


def test_each_setting_in_days_is_a_time_in_the_past(tmp_path: Path) -> None:
    settings = make_settings(
        tmp_path, keep_mail_days="30", keep_issue_days="31", keep_ip_days="32", keep_left_days="33"
    )

    policy = Policy.of(settings, NOON)

    found = [policy.mail_before, policy.issue_before, policy.ip_before, policy.left_before]
    assert found == [NOON - timedelta(days=days) for days in (30, 31, 32, 33)]


def test_zero_days_mean_forever(tmp_path: Path) -> None:
    settings = make_settings(
        tmp_path, keep_mail_days="0", keep_issue_days="0", keep_ip_days="0", keep_left_days="0"
    )

    policy = Policy.of(settings, NOON)

    assert [policy.mail_before, policy.issue_before, policy.ip_before, policy.left_before] == [None] * 4


def test_a_reminder_after_the_end_is_refused(tmp_path: Path) -> None:
    make_settings(tmp_path, reminder_hours="335")

    with pytest.raises(SettingsError, match="NEWSLETTER_REMINDER_HOURS is after the end"):
        make_settings(tmp_path, reminder_hours="336")
