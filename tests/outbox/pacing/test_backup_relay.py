"""When a backup relay takes over, when the usual relay is tried, and what only one of them may get."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from house import make_settings

from newsletter.messages.sender import Sender, with_backups
from newsletter.outbox.pacing import standings
from newsletter.outbox.pacing.backup_relay import is_replaced, is_to_be_tried
from newsletter.outbox.pacing.pace import Standing, fail, recovered
from newsletter.outbox.pacing.waiting_reasons import reasons_to_wait

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def sender(folder: Path, **settings: str) -> Sender:
    return Sender.of_settings(
        make_settings(
            folder,
            relay="smtp://usual.example.org",
            **({"backup_relays": "*=smtp://backup.example.net?return_path=bounces@example.net"} | settings),
        )
    )


def failed(*minutes: float) -> Standing:
    """Return the standing of a relay that could not be reached at these minutes after noon."""
    standing = Standing(NOON)
    for each in minutes:
        standing, _ = fail(standing, NOON + each * MINUTE, may_end=False)
    return standing


@pytest.mark.parametrize(("minutes", "expected"), [(0, False), (4.9, False), (5, True), (600, True)])
def test_the_backup_takes_over_when_the_relay_was_down_for_the_minutes_of_the_setting(
    tmp_path: Path, minutes: float, expected: bool
):
    assert is_replaced(failed(0), sender(tmp_path), NOON + minutes * MINUTE) is expected


def test_without_minutes_the_backup_takes_over_at_the_first_failure(tmp_path: Path):
    assert is_replaced(failed(0), sender(tmp_path, backup_after_minutes="0"), NOON)


def test_a_relay_that_replied_again_is_not_replaced(tmp_path: Path):
    assert not is_replaced(recovered(failed(0, 9)), sender(tmp_path), NOON + 10 * MINUTE)


def test_a_pause_in_sending_does_not_end_an_outage_that_the_backup_bridges(tmp_path: Path):
    assert is_replaced(failed(0, 600), sender(tmp_path), NOON + 601 * MINUTE)


def test_a_relay_without_a_backup_is_never_replaced(tmp_path: Path):
    alone = sender(tmp_path, backup_relays="other.example=smtp://backup.example.net")

    assert alone.backup is None
    assert not is_replaced(failed(0), alone, NOON + 600 * MINUTE)


def test_a_replaced_relay_is_tried_each_minute(tmp_path: Path):
    standing = failed(0, 6)

    assert not is_to_be_tried(standing, sender(tmp_path), NOON + 6.9 * MINUTE)
    assert is_to_be_tried(standing, sender(tmp_path), NOON + 7 * MINUTE)
    assert not is_to_be_tried(failed(0), sender(tmp_path), NOON + 2 * MINUTE)


def test_the_backup_has_its_own_relay_return_path_and_row(tmp_path: Path):
    usual = sender(tmp_path)
    (first, backup) = with_backups([usual])

    assert first is usual
    assert backup is usual.backup
    assert (usual.relay.host, backup.relay.host) == ("usual.example.org", "backup.example.net")
    assert (usual.plain_path, backup.plain_path) == (None, "bounces@example.net")
    assert standings.sender_key(usual) != standings.sender_key(backup)
    assert backup.identity is usual.identity


def test_the_backup_is_chosen_by_address_then_domain_then_for_all_others(tmp_path: Path):
    backups = "news@example.org=smtp://a.example, example.org=smtp://b.example, *=smtp://c.example"
    settings = make_settings(tmp_path, relay="smtp://usual.example.org", backup_relays=backups)
    usual = Sender.of_settings(settings)
    hosts = [
        replace(usual, identity=replace(usual.identity, from_address=address)).backup.relay.host
        for address in ("news@example.org", "other@example.org", "news@example.net")
    ]

    assert hosts == ["a.example", "b.example", "c.example"]


def test_a_relay_is_not_its_own_backup(tmp_path: Path):
    assert sender(tmp_path, backup_relays="*=smtp://usual.example.org").backup is None


def test_the_page_of_an_issue_names_the_backup_relay(tmp_path: Path):
    both = standings.SenderStanding(failed(0, 6), Standing(NOON))

    (reason,) = reasons_to_wait(both, sender(tmp_path), NOON + 6 * MINUTE)

    assert "Emails go through the backup relay backup.example.net until it answers" in reason
