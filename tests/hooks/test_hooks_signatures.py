"""Signatures of webhooks: what is signed passes, and nothing else does, whatever a header says."""

import base64
import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fazt.errors import SignatureRefused
from fazt.hooks import signatures
from fazt.hooks.signatures import TOLERANCE_S, Style, check_signature, find_sender_id

NOW_S = 1_700_000_000
SECRET = b"s3cret"
# The example of GitHub's documentation, "Testing the webhook payload validation"
GITHUB = (b"It's a Secret to Everybody", b"Hello, World!")
GITHUB_DIGEST = b"757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
bodies = st.binary(max_size=200)
fields = st.lists(
    st.tuples(
        st.sampled_from((b"x-hub-signature-256", b"stripe-signature", b"x-signature", b"X-Signature", b"x-other")),
        st.one_of(st.binary(max_size=200), st.text("0123456789abcdef=,tv1sh25 6", max_size=120).map(str.encode)),
    ),
    max_size=4,
)


def digest(data: bytes, secret: bytes = SECRET) -> bytes:
    return hmac.new(secret, data, hashlib.sha256).digest()


def passes(style: Style, headers: Any, body: bytes, secret: bytes = SECRET, now_s: float = NOW_S) -> bool:
    try:
        check_signature(style, secret, headers, body, now_s)
    except SignatureRefused:
        return False
    return True


def stripe(body: bytes, at: int = NOW_S, *more: str, secret: bytes = SECRET) -> list[tuple[bytes, bytes]]:
    made = digest(b"%d." % at + body, secret).hex()
    return [(b"stripe-signature", ",".join([f"t={at}", f"v1={made}", *more]).encode())]


def test_the_example_of_github() -> None:
    secret, body = GITHUB
    assert passes("github", [(b"X-Hub-Signature-256", b"sha256=" + GITHUB_DIGEST)], body, secret)
    assert not passes("github", [(b"X-Hub-Signature-256", GITHUB_DIGEST)], body, secret)
    assert not passes("github", [(b"X-Hub-Signature", b"sha256=" + GITHUB_DIGEST)], body, secret)


@given(bodies, st.binary(min_size=1, max_size=80))
def test_what_is_signed_passes_and_a_changed_body_does_not(body: bytes, secret: bytes) -> None:
    made = digest(body, secret)
    good: list[tuple[Style, list[tuple[bytes, bytes]]]] = [
        ("github", [(b"x-hub-signature-256", b"sha256=" + made.hex().encode())]),
        ("hmac", [(b"x-signature", made.hex().encode())]),
        ("hmac", [(b"x-signature", made.hex().upper().encode())]),
        ("hmac", [(b"x-signature", b"sha256=" + made.hex().encode())]),
        ("hmac", [(b"x-signature", base64.b64encode(made))]),
        ("hmac", [(b"x-signature", base64.urlsafe_b64encode(made).rstrip(b"="))]),
        ("stripe", stripe(body, secret=secret)),
    ]
    for style, headers in good:
        assert passes(style, headers, body, secret), (style, headers)
        assert not passes(style, headers, body + b"x", secret)
        assert not passes(style, headers, body, secret + b"x")
        assert not passes(style, [*headers, *headers], body, secret)


@given(fields, bodies)
@example([(b"stripe-signature", b"t=,v1=" + b"0" * 64)], b"")
@example([(b"stripe-signature", b"t=1" + b"0" * 30 + b",v1=" + b"0" * 64)], b"")
@example([(b"x-signature", b"=" * 44)], b"")
@example([(b"x-signature", b"A" * 43)], b"")
@example([(b"x-hub-signature-256", b"sha256=" + "é".encode() * 32)], b"")
def test_no_other_header_passes_or_breaks_anything(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    for style in ("github", "stripe", "hmac"):
        assert not passes(style, headers, body)
    assert passes("none", headers, body)


@given(st.integers(-10_000, 10_000))
def test_stripe_is_believed_for_five_minutes(late_s: int) -> None:
    assert passes("stripe", stripe(b"{}"), b"{}", now_s=NOW_S + late_s) == (abs(late_s) <= TOLERANCE_S)


def test_stripe_may_send_several_signatures() -> None:
    wrong = f"v1={'0' * 64}"
    made = digest(b"%d.{}" % NOW_S).hex()
    for parts in (
        [f"t={NOW_S}", wrong, f"v1={made}"],
        [f"t={NOW_S}", f"v1={made}", wrong, "v0=x", "something"],
        [f"v1={made}", f"t={NOW_S}"],
    ):
        assert passes("stripe", [(b"stripe-signature", ",".join(parts).encode())], b"{}"), parts
    for parts in (
        [f"t={NOW_S}", f"v0={made}"],
        [f"t={NOW_S}", wrong],
        [f"v1={made}"],
        [f"t={NOW_S}", f"t={NOW_S}", f"v1={made}"],
        [f"t=+{NOW_S}", f"v1={made}"],
        [f"t={NOW_S}", *[wrong] * signatures.MOST_SIGNATURES, f"v1={made}"],
    ):
        assert not passes("stripe", [(b"stripe-signature", ",".join(parts).encode())], b"{}"), parts


@pytest.mark.parametrize(
    ("style", "headers", "body", "id"),
    [
        ("github", [(b"X-GitHub-Delivery", b"72d3162e")], b"", "72d3162e"),
        ("github", [(b"x-github-delivery", b"a"), (b"x-github-delivery", b"b")], b"", None),
        ("github", [(b"x-github-delivery", b"a b")], b"", None),
        ("github", [(b"x-github-delivery", b"x" * 201)], b"", None),
        ("github", [(b"x-github-delivery", b"\xff")], b"", None),
        ("github", [], b'{"id": "evt_1"}', None),
        ("stripe", [], b'{"id": "evt_1"}', "evt_1"),
        ("stripe", [], b'{"id": 1}', None),
        ("stripe", [], b'["id"]', None),
        ("stripe", [], b"{", None),
        ("stripe", [], b'{"id": "a\\nb"}', None),
        ("hmac", [(b"x-delivery-id", b"1")], b"", "1"),
        ("none", [(b"x-delivery-id", b"1")], b"", "1"),
    ],
)
def test_what_the_sender_calls_it(style: Style, headers: Any, body: bytes, id: str | None) -> None:
    assert find_sender_id(style, headers, body) == id


@given(st.sampled_from(("github", "stripe", "hmac", "none")), fields, st.binary(max_size=300))
def test_no_body_breaks_the_look_for_an_id(style: Style, headers: Any, body: bytes) -> None:
    id = find_sender_id(style, headers, body)
    assert id is None or (0 < len(id) <= 200 and id.isprintable())
