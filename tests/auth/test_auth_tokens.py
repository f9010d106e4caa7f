"""Who may do what: the whole matrix of callers, actions and sites."""

import hashlib
import itertools
import re

import pytest

from fazt.auth.tokens import (
    ACTIONS,
    Principal,
    allows,
    bearer_of,
    has_action,
    hash_token,
    is_expired,
    local_owner,
    new_token,
    token_id,
)
from fazt.store.tokens import Token

OWNER = local_owner()


def bearer(*actions: str, site: str | None = None) -> Principal:
    return bearer_of(Token("fazt_abc", "", None if site is None else (site,), actions, None, None, 0))


def test_a_token_is_long_random_and_known_by_its_hash() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    for token in tokens:
        assert re.fullmatch(r"fazt_[A-Za-z0-9_-]{43}", token)
        assert hash_token(token) == hashlib.sha256(token.encode()).digest()
        assert token_id(token) == token[:8]
    hash_token("\udcff\x00é")  # whatever a stranger sends has a hash


@pytest.mark.parametrize("site", [None, "blog", "other"])
def test_the_owner_may_do_everything(site: str | None) -> None:
    assert all(allows(OWNER, action, site) for action in ACTIONS)


def test_a_token_may_do_what_it_names_where_it_names() -> None:
    choices = [chosen for count in range(4) for chosen in itertools.combinations(ACTIONS, count)]
    for actions, own, action, site in itertools.product(choices, (None, "blog"), ACTIONS, (None, "blog", "other")):
        expected = action in actions and (own is None or own == site)
        assert allows(bearer(*actions, site=own), action, site) is expected
        assert has_action(bearer(*actions, site=own), action) is (action in actions)


def test_nobody_may_do_anything() -> None:
    assert not any(
        allows(Principal("nobody", frozenset(), None), action, site) for action in ACTIONS for site in (None, "blog")
    )


def test_an_action_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="destroy"):
        allows(OWNER, "destroy", None)


@pytest.mark.parametrize(("expires_at", "expired"), [(None, False), (999, True), (1000, True), (1001, False)])
def test_expiry(expires_at: int | None, expired: bool) -> None:
    assert is_expired(Token("fazt_abc", "", None, (), expires_at, None, 0), 1000) is expired
