"""WebCrypto's operations under load and under attack: limits, turns, pieces, and whatever a script may send."""

import asyncio
import contextlib
import hashlib
import threading
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from hypothesis import given, settings
from hypothesis import strategies as st
from webcrypto_asking import CURVES, HASHES, KEYS, OPERATIONS, ask, caller, pkcs8, run, spki

from fazt.data.caller import Caller
from fazt.errors import CryptoFailed, InvalidInput
from fazt.functions import webcrypto_derivation, webcrypto_turns
from fazt.functions.crypto import SHORT_BYTES, crypto_operations
from fazt.functions.webcrypto_ciphers import PIECE_BYTES as CIPHER_PIECE_BYTES
from fazt.functions.webcrypto_input import MAX_BYTES
from fazt.functions.webcrypto_pieces import MAX_STRINGS_OF_A_CALL, PIECE_BYTES
from fazt.functions.webcrypto_turns import THREADS_OF_A_SITE, Turns

# --- limits, threads, pieces -----------------------------------------------------------------------------------------

HASH_ALGORITHM = {"name": "SHA-256"}


def test_work_is_bounded_before_it_begins() -> None:
    stretch = {"name": "PBKDF2", "hash": "SHA-1"}
    refused = [
        ({**stretch, "iterations": 0}, (b"p", b"s"), 128),
        ({**stretch, "iterations": webcrypto_derivation.MAX_ITERATIONS + 1}, (b"p", b"s"), 128),
        ({**stretch, "iterations": webcrypto_derivation.MAX_ITERATIONS}, (b"p", b"s"), 8 * 20 * 3),
        ({**stretch, "iterations": 1}, (b"p", b"s" * 1_000_000), 8 * 60_000),
        ({**stretch, "iterations": 1}, (b"p", b"s"), 8 * 65_537),
        ({**stretch, "iterations": 1}, (b"p", b"s"), 9),
        ({**stretch, "iterations": 1}, (b"p", b"s"), None),
        ({"name": "HKDF", "hash": "SHA-256"}, (b"p", b"s", b"i"), 8 * (255 * 32 + 1)),
        ({"name": "HKDF", "hash": "SHA-256"}, (b"p", b"s", b"i" * 70_000), 8),
        ({"name": "HKDF", "hash": "SHA-256"}, (b"p", b"s", b"i"), None),
    ]
    for algorithm, parts, length in refused:
        with pytest.raises(CryptoFailed):
            ask("derive", algorithm, *parts, length=length)
    assert ask("derive", {**stretch, "iterations": 1}, b"p", b"s", length=0)[1] == b""
    with pytest.raises(CryptoFailed, match="at most"):
        ask("digest", HASH_ALGORITHM, bytes(MAX_BYTES + 1))
    with pytest.raises(CryptoFailed, match="at most"):
        ask("encrypt", {"name": "AES-KW"}, bytes(16), bytes(70_000))


def test_what_is_longer_than_one_step() -> None:
    key, iv = bytes(32), bytes(12)
    for size in (SHORT_BYTES, SHORT_BYTES + 1, CIPHER_PIECE_BYTES, 3 * CIPHER_PIECE_BYTES + 1):
        data = bytes(range(256)) * (size // 256) + bytes(size % 256)
        additional = data[: size // 2]
        encrypted = ask("encrypt", {"name": "AES-GCM"}, key, iv, additional, data)[1]
        assert encrypted == AESGCM(key).encrypt(iv, data, additional)
        assert ask("decrypt", {"name": "AES-GCM"}, key, iv, additional, encrypted)[1] == data
        padded = ask("encrypt", {"name": "AES-CBC"}, key, bytes(16), data)[1]
        assert ask("decrypt", {"name": "AES-CBC"}, key, bytes(16), padded)[1] == data
        assert ask("digest", HASH_ALGORITHM, data)[1] == hashlib.sha256(data).digest()


def test_large_byte_strings_come_and_go_in_pieces() -> None:
    data = bytes(range(256)) * 10_000

    async def scenario() -> None:
        ours = caller()
        whole = bytes(32) + bytes(16) + data
        number = None
        for at in range(0, len(whole), PIECE_BYTES):
            answer, _ = await OPERATIONS["crypto.push"](ours, {"id": number}, whole[at : at + PIECE_BYTES])
            number = answer["id"]
        value = {"algorithm": {"name": "AES-CTR", "length": 64}, "lengths": [32, 16, len(data)], "pushed": number}
        with pytest.raises(InvalidInput, match="no byte string"):
            await OPERATIONS["crypto.encrypt"](caller(call="another"), value, b"")
        answer, result = await OPERATIONS["crypto.encrypt"](ours, value, b"")
        assert (answer["size"], result) == (len(data), b"")
        with pytest.raises(InvalidInput, match="complete"):
            await OPERATIONS["crypto.push"](ours, {"id": answer["pull"]}, b"more")
        pieces: list[bytes] = []
        while sum(map(len, pieces)) < len(data):
            pieces.append((await OPERATIONS["crypto.pull"](ours, {"id": answer["pull"]}, b""))[1])
        assert b"".join(pieces) == Cipher(AES(bytes(32)), CTR(bytes(16))).encryptor().update(data)
        for name, again in (("pull", {"id": answer["pull"]}), ("encrypt", value)):
            with pytest.raises(InvalidInput, match="no byte string"):
                await OPERATIONS[f"crypto.{name}"](ours, again, b"")
        ours.close()

    asyncio.run(scenario())


def test_what_waits_is_bounded_and_ends_with_the_call() -> None:
    operations = crypto_operations()
    push = operations["crypto.push"]

    async def scenario() -> None:
        ours = caller()
        for _ in range(MAX_STRINGS_OF_A_CALL):
            await push(ours, {"id": None}, b"piece")
        with pytest.raises(CryptoFailed, match="Too many"):
            await push(ours, {"id": None}, b"piece")

        async def fill(whose: Caller, number: int) -> None:
            while True:
                await push(whose, {"id": number}, bytes(PIECE_BYTES))

        for number in range(1, 5):
            with pytest.raises(CryptoFailed, match="at most"):
                await fill(ours, number)
        other = caller(call="another")  # of the same site, which may keep little more
        await push(other, {"id": None}, b"piece")
        with pytest.raises(CryptoFailed, match="Too many bytes"):
            await fill(other, 1)
        assert (await push(caller(2), {"id": None}, bytes(PIECE_BYTES)))[0] == {"id": 1}
        assert len(ours.closers) == 1
        ours.close()
        assert (await push(other, {"id": None}, bytes(PIECE_BYTES)))[0] == {"id": 2}
        with pytest.raises(InvalidInput):
            await push(caller(), {"id": 1}, b"piece")

    asyncio.run(scenario())


def test_a_site_has_two_threads_and_others_go_on() -> None:
    async def scenario() -> None:
        turns, release = Turns(), threading.Event()
        running = threading.Semaphore(0)

        def block() -> str:
            running.release()
            release.wait(60)
            return "done"

        blocked = [asyncio.create_task(turns.run(1, 10, block)) for _ in range(THREADS_OF_A_SITE + 2)]
        for _ in range(THREADS_OF_A_SITE):
            await asyncio.to_thread(running.acquire)
        assert await turns.run(2, 10, lambda: "another site") == "another site"
        assert not running.acquire(blocking=False)  # the two others wait
        blocked[0].cancel()  # runs: its thread still counts
        blocked[-1].cancel()  # waits: it is gone
        await asyncio.wait([blocked[0], blocked[-1]])
        assert await turns.run(2, 10, lambda: "another site") == "another site"
        assert not running.acquire(blocking=False)
        release.set()
        assert await asyncio.gather(*blocked[1:-1]) == ["done"] * THREADS_OF_A_SITE
        assert await turns.run(1, 10, lambda: "at last") == "at last"
        while turns._shares:  # forgotten in the loop's next turns
            await asyncio.sleep(0)

    asyncio.run(scenario())


def test_a_site_that_asks_for_too_much_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webcrypto_turns, "MAX_ASKED", 5)
    monkeypatch.setattr(webcrypto_turns, "MAX_ASKED_BYTES", 100)

    async def scenario() -> None:
        turns = Turns()
        for size, most in ((1, 5), (40, 2), (1000, 1)):
            outcomes = await asyncio.gather(
                *(turns.run(1, size, lambda: "done") for _ in range(8)), return_exceptions=True
            )
            assert [outcome == "done" for outcome in outcomes] == [True] * most + [False] * (8 - most)
            assert all(outcome == "done" or isinstance(outcome, CryptoFailed) for outcome in outcomes)
            while turns._shares:
                await asyncio.sleep(0)

    asyncio.run(scenario())


# --- whatever one may send -------------------------------------------------------------------------------------------

NAMES = [
    *HASHES, "RSASSA-PKCS1-v1_5", "RSA-PSS", "RSA-OAEP", "ECDSA", "ECDH", "Ed25519", "X25519", "AES-CTR", "AES-CBC",
    "AES-GCM", "AES-KW", "HMAC", "HKDF", "PBKDF2", "none", "",
]  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
WORDS = st.sampled_from(
    [*NAMES, *CURVES, "jwk", "raw", "spki", "pkcs8", "public", "private", "RSA", "EC", "OKP", "AQAB"]
)
SMALL = st.integers(0, 3000) | st.sampled_from([8, 32, 64, 96, 128, 256])
MEMBER = WORDS | SMALL | JSON
ALGORITHMS = st.fixed_dictionaries(
    {"name": st.sampled_from(NAMES) | SCALARS},
    optional={
        "hash": st.sampled_from(HASHES) | MEMBER,
        "namedCurve": st.sampled_from(list(CURVES)) | MEMBER,
        "saltLength": MEMBER,
        "tagLength": MEMBER,
        "iterations": MEMBER,
        "length": MEMBER,
        "publicExponent": st.lists(st.integers(0, 300), max_size=4) | MEMBER,
        # a number of bits that is right would make Hypothesis wait for keys
        "modulusLength": st.integers(-5, 2047) | st.integers(4097, 2**70) | JSON.filter(lambda value: value != 2048),
    },
)
DERS = [der for _, key in KEYS.values() for der in (pkcs8(key), spki(key.public_key()))]
JWKS = [
    ask("export", algorithm, pkcs8(key), format="jwk", type="private")[0]["jwk"] for algorithm, key in KEYS.values()
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    der = bytearray(draw(st.sampled_from(DERS)))
    for _ in range(draw(st.integers(0, 3))):
        der[draw(st.integers(0, len(der) - 1))] = draw(st.integers(0, 255))
    return bytes(der[: draw(st.integers(0, len(der)))] if draw(st.booleans()) else der)


@st.composite
def damaged_jwk(draw: st.DrawFn) -> Any:
    jwk = dict(draw(st.sampled_from(JWKS)))
    for name in draw(st.lists(st.sampled_from(sorted(jwk)), max_size=3)):
        jwk.pop(name, None)
        if draw(st.booleans()):
            jwk[name] = draw(
                MEMBER | st.text("AQgw_-=", max_size=50) | st.sampled_from(list(draw(st.sampled_from(JWKS)).values()))
            )
    return jwk


PARTS = st.lists(st.binary(max_size=40) | st.sampled_from([bytes(16), bytes(32)]) | damaged(), max_size=5)


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from([name for name in OPERATIONS if name not in ("crypto.push", "crypto.pull")]),
    ALGORITHMS,
    PARTS,
    st.fixed_dictionaries(
        {}, optional={"format": MEMBER, "type": MEMBER, "jwk": damaged_jwk() | JSON, "length": MEMBER}
    ),
)
def test_nothing_but_a_refusal_comes_out(
    name: str, algorithm: dict[str, Any], parts: list[bytes], value: dict[str, Any]
) -> None:
    message = {**value, "algorithm": algorithm, "lengths": [len(part) for part in parts]}
    try:
        answer, result = asyncio.run(run(OPERATIONS[name](caller(), message, b"".join(parts))))
    except InvalidInput:
        pass
    else:
        assert isinstance(result, bytes)
        assert answer is None or isinstance(answer, bool | dict)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(list(KEYS)), damaged(), damaged_jwk())
def test_damaged_keys_are_refused_or_sound(kind: str, der: bytes, jwk: Any) -> None:
    algorithm = KEYS[kind][0]
    for format, parts in (("spki", (der,)), ("pkcs8", (der,)), ("raw", (der[-65:],)), ("jwk", ())):
        try:
            facts, again = ask("import", algorithm, *parts, format=format, jwk=jwk)
        except InvalidInput:
            continue
        form = "pkcs8" if facts["type"] == "private" else "spki"
        assert ask("import", algorithm, again, format=form)[1] == again


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(list(OPERATIONS)),
    JSON | st.fixed_dictionaries({"algorithm": MEMBER, "lengths": MEMBER, "id": MEMBER, "pushed": MEMBER}),
    st.binary(max_size=50),
)
def test_any_json_and_any_bytes(name: str, value: Any, data: bytes) -> None:
    ours = caller(7)
    with contextlib.suppress(InvalidInput):
        asyncio.run(run(OPERATIONS[name](ours, value, data)))
    ours.close()
