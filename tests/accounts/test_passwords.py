from __future__ import annotations

import time
from contextlib import ExitStack

import pytest
from argon2 import PasswordHasher

from newsletter.accounts.passwords import (
    KEPT,
    RUNNING,
    WAITING,
    Places,
    check_password,
    hash_password,
    one_time_password,
    password_fault,
    warm_up,
)
from newsletter.service.web_server import THREADS

GOOD = "three quiet harbours"


@pytest.fixture(scope="module")
def stored() -> str:
    return hash_password(GOOD)


def test_a_password_is_kept_as_argon2id_with_a_salt_of_its_own(stored: str) -> None:
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert hash_password(GOOD) != stored


def test_only_the_right_password_fits(stored: str) -> None:
    assert check_password(GOOD, stored) == (True, None)
    assert check_password(GOOD + " ", stored) == (False, None)
    assert check_password("", stored) == (False, None)


def test_a_hash_made_with_older_parameters_is_renewed() -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(GOOD)

    fits, renewed = check_password(GOOD, old)

    assert fits
    assert renewed is not None
    assert check_password(GOOD, renewed) == (True, None)


def test_a_missing_or_unknown_hash_lets_nobody_sign_in() -> None:
    assert check_password(GOOD, None) == (False, None)
    assert check_password(GOOD, "pbkdf2:sha256:1$abc$def") == (False, None)
    assert check_password(GOOD, "") == (False, None)


def test_an_overlong_password_is_refused_without_hashing_it(stored: str) -> None:
    assert check_password("x" * 1_000_000, stored) == (False, None)


def test_an_unknown_person_is_refused_in_the_same_time(stored: str) -> None:
    warm_up()

    def seconds(known: str | None) -> float:
        begun = time.thread_time()
        check_password("not the password", known)
        return time.thread_time() - begun

    # Take the fastest of several runs, because other load only makes a run slower.
    known = min(seconds(stored) for _ in range(4))
    unknown = min(seconds(None) for _ in range(4))
    assert 0.5 < unknown / known < 2.0


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short", "at least 12"),
        ("x" * 201, "at most 200"),
        ("aaaaaaaaaaaaaa", "too few different"),
        ("Editor@Example.org1", "contains your address"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(password: str, words: str) -> None:
    assert words in str(password_fault(password, "editor@example.org"))


@pytest.mark.parametrize("password", [GOOD, "x1y2" * 50, "пароль из слов", "correct horse battery staple"])
def test_length_alone_makes_a_good_password(password: str) -> None:
    assert password_fault(password, "editor@example.org") is None


def test_one_time_passwords_are_long_and_never_the_same() -> None:
    made = {one_time_password() for _ in range(200)}

    assert len(made) == 200
    assert all(password_fault(password, "editor@example.org") is None for password in made)
    assert not any(set(password) & set("il01o") for password in made)


def test_some_places_are_reserved_for_known_browsers() -> None:
    places = Places(places=3, kept=2)

    with ExitStack() as held:
        strangers = [held.enter_context(places.place(known=False)) for _ in range(5)]
        known = [held.enter_context(places.place(known=True)) for _ in range(3)]

    assert strangers == [True] * 3 + [False] * 2
    assert known == [True] * 2 + [False]
    with places.place(known=False) as admitted:
        assert admitted


def test_password_checks_leave_threads_for_other_pages() -> None:
    assert RUNNING + WAITING + KEPT < THREADS
