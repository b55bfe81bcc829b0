from __future__ import annotations

import random

import pytest

from newsletter.smtp.growth import PATIENCE_SECONDS, Growth


def live(growth: Growth, rate_of, seconds: float = 20, busy_of=lambda rate: rate / 2500) -> list[int]:
    """Return the numbers of connections, one for each quarter of a second."""
    seen = []
    for tick in range(int(seconds * 4)):
        rate = rate_of(growth.connections)
        seen.append(growth.observe(rate, busy_of(rate), tick / 4))
    return seen


def relay(latency: float, ends_at: float):
    return lambda connections: min(connections / latency, ends_at)


def test_a_slow_relay_gets_connections_until_we_are_busy():
    growth = Growth(limit=100)

    seen = live(growth, relay(0.020, 2400))

    assert seen[5] >= 32  # a second and a half
    assert max(seen) == 64


def test_the_limit_is_the_limit():
    assert max(live(Growth(limit=6), relay(0.5, 2400))) == 6


def test_a_quick_relay_keeps_the_two_connections_that_it_began_with():
    assert live(Growth(limit=50), lambda connections: 2400)[-1] == 2


def test_a_limit_of_one_connection_is_kept_from_the_start():
    assert Growth(limit=1).connections == 1


def test_a_relay_at_its_end_is_not_pressed_but_asked_again():
    seen = live(Growth(limit=50), relay(0.020, 200), seconds=PATIENCE_SECONDS * 3)

    assert seen.count(4) > 0.9 * len(seen)
    assert seen.count(8) >= 2
    assert max(seen) == 8


def test_connections_that_a_lucky_moment_brought_are_given_up_again():
    lucky = iter([800, 1200, 1900, 1900])

    seen = live(Growth(limit=50), lambda connections: next(lucky, 2400), seconds=60, busy_of=lambda rate: 0.5)

    assert 8 in seen[:4]
    assert seen[-1] == 2


@pytest.mark.parametrize("seed", range(5))
def test_noise_brings_few_connections(seed):
    drawn = random.Random(seed)

    seen = live(
        Growth(limit=50),
        lambda connections: drawn.gauss(2400, 300),
        seconds=900,
        busy_of=lambda rate: drawn.gauss(0.85, 0.05),
    )

    assert sum(seen) / len(seen) < 2.5
    assert max(seen) <= 16


def test_connections_that_are_needed_are_doubted_ever_less_often():
    seen = live(Growth(limit=64), relay(0.100, 10_000), seconds=600)

    assert seen.count(32) <= 10
    assert seen.count(64) > 0.99 * len(seen[10:]) - 10


def test_many_connections_are_given_up_even_when_we_are_busy():
    growth = Growth(limit=50, connections=32)

    assert live(growth, lambda connections: 2400, busy_of=lambda rate: 0.95)[-1] == 2


def test_a_refused_connection_is_not_asked_for_at_once_again():
    growth = Growth(limit=50, connections=8)

    assert growth.refuse(3, now=0) == 3
    assert growth.observe(100, 0.1, now=1) == 3
    assert growth.observe(100, 0.1, now=PATIENCE_SECONDS) == 6


@pytest.mark.parametrize("open_connections", [0, 1])
def test_one_connection_is_always_tried(open_connections):
    assert Growth(limit=50, connections=8).refuse(open_connections, now=0) == 1
