"""Codes of the second factor, against the vectors of RFC 6238, and recovery codes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fazt.auth import totp

SECRET = b"12345678901234567890"  # RFC 6238 appendix B


@pytest.mark.parametrize(
    ("at", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_the_vectors_of_the_rfc(at: int, code: str) -> None:
    assert totp.find_step(SECRET, code, at) == at // 30
    assert totp.find_step(SECRET, f"{code[:3]} {code[3:]}", at) == at // 30


def test_a_clock_may_be_off_by_one_step() -> None:
    for offset in (-30, 0, 30):
        assert totp.find_step(SECRET, "287082", 59 + offset) == 1
    for offset in (-60, 60, 90):
        assert totp.find_step(SECRET, "287082", 59 + offset) is None


@given(st.text(max_size=12))
def test_any_text_is_a_wrong_code_or_a_right_one(text: str) -> None:
    assert totp.find_step(SECRET, text, 59) in (None, 0, 1, 2)
    totp.is_recovery_code(text)
    assert len(totp.hash_recovery_code(text)) == 32


def test_recovery_codes_can_be_typed_in_any_way() -> None:
    codes = totp.new_recovery_codes()
    assert len(set(codes)) == 10
    for code in codes:
        assert totp.is_recovery_code(code)
        assert totp.is_recovery_code(code.upper().replace("-", " "))
        assert totp.hash_recovery_code(code.upper().replace("-", "")) == totp.hash_recovery_code(code)


def test_what_an_app_reads() -> None:
    uri = totp.as_uri(SECRET, "ann", "Fazt example.org")
    expected = "otpauth://totp/Fazt%20example.org:ann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Fazt%20example.org"
    assert uri == expected
    assert totp.as_svg(uri).startswith("<svg")
