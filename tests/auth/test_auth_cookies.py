"""The cookie of a session: which one is taken, and that two are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.auth.cookies import NAME, find_secret, hash_secret, new_secret, set_cookie
from fazt.errors import Unauthenticated


@pytest.mark.parametrize(
    ("fields", "secret"),
    [
        ([], None),
        ([""], None),
        ([f"{NAME}=abc"], "abc"),
        ([f"a=1; {NAME}=abc; b=2"], "abc"),
        ([f"a=1;{NAME}=abc"], "abc"),
        ([f"{NAME}="], None),
        ([f"{NAME}"], None),
        ([f"x{NAME}=abc", f"{NAME.lower()}=abc"], None),
        ([f"{NAME}={'x' * 500}"], None),
        (["a=1", f"{NAME}=abc"], "abc"),
    ],
)
def test_which_secret_is_found(fields: list[str], secret: str | None) -> None:
    assert find_secret(fields) == secret


@pytest.mark.parametrize("fields", [[f"{NAME}=a; {NAME}=b"], [f"{NAME}=a", f"{NAME}=a"], [f"{NAME}=; {NAME}=a"]])
def test_two_cookies_are_refused(fields: list[str]) -> None:
    with pytest.raises(Unauthenticated, match="two sessions"):
        find_secret(fields)


@given(st.lists(st.text(max_size=80), max_size=4))
def test_any_field_can_be_read(fields: list[str]) -> None:
    try:
        secret = find_secret(fields)
    except Unauthenticated:
        return
    assert secret is None or any(f"{NAME}={secret}" in field for field in fields)


def test_secrets_are_long_and_random() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(secret) == 43 for secret in made)
    assert len(hash_secret("\udcff")) == 32
    assert "Domain" not in set_cookie("x")
