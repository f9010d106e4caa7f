"""Passwords: which may be chosen, and that a check tells nothing by its cost."""

import asyncio

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from fazt.auth.passwords import Passwords, check_choice
from fazt.errors import InvalidInput

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.mark.parametrize("password", ["a long night of rain", "Zb7!kq0-wp", "ééééé ààààà ß 雨の長い夜"])
def test_what_may_be_chosen(password: str) -> None:
    check_choice(password, "ann")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "at least 10"),
        ("", "at least 10"),
        ("x" * 2000, "at most"),
        ("password123", "tries first"),
        ("Qwertyuiop", "tries first"),
        ("Passwort123!", "tries first"),
        ("aaaaaaaaaaaa", "repeats"),
        ("abababababab", "repeats"),
        ("abcdefghijkl", "repeats"),
        ("0987654321", "repeats"),
        ("3456789012", "repeats"),
        ("annabellina", "name"),
        ("Annabellina1", "name"),
    ],
)
def test_what_may_not(password: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        check_choice(password, "annabellina")


@given(st.text(max_size=30), st.text(max_size=10))
def test_any_text_is_judged(password: str, name: str) -> None:
    try:
        check_choice(password, name)
    except InvalidInput:
        return
    assert len(password) >= 10


def test_a_check_costs_the_same_where_there_is_no_such_user() -> None:
    async def check() -> list[tuple[bool, int]]:
        passwords = Passwords(QUICK)
        hashed = await passwords.hash("right one here")
        done = []
        for kept, tried in ((hashed, "right one here"), (hashed, "wrong"), (None, "right one here"), ("broken", "x")):
            before = passwords.checked
            right = await passwords.matches(kept, tried)
            done.append((right, passwords.checked - before))
        return done

    assert asyncio.run(check()) == [(True, 1), (False, 1), (False, 1), (False, 1)]


def test_nobody_has_the_password_that_nobody_has() -> None:
    assert asyncio.run(Passwords(QUICK).matches(None, "nobody has this password")) is False
