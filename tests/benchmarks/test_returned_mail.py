"""A small run of the benchmark of returned mail: the listener is killed, and the books balance."""

from __future__ import annotations

from benchmarks.returned_mail import measure


def test_the_books_balance_although_the_listener_is_killed_at_random_moments():
    (run,) = measure(300, pauses=(0.0, 0.8))

    assert run["reports"] == 300
    assert run["kills"] >= 1
    assert (run["lost"], run["twice"]) == (0, 0)
