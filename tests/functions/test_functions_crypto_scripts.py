"""`crypto` as a function's code sees it: scripts in an isolate, with Python's operations behind them."""

import hashlib
import json
import re
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from webcrypto_asking import OPERATIONS
from webcrypto_isolate import Isolate, ScriptError


@pytest.fixture(scope="module")
def isolate() -> Iterator[Isolate]:
    isolate = Isolate(OPERATIONS)
    yield isolate
    isolate.close()


# --- random numbers --------------------------------------------------------------------------------------------------


def test_random_uuid(isolate: Isolate) -> None:
    ids = isolate.run("return Array.from({ length: 100 }, () => crypto.randomUUID())")
    assert len(set(ids)) == 100
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", id) for id in ids)


def test_random_values(isolate: Isolate) -> None:
    source = """
    const outcomes = {};
    for (const Kind of [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array,
                        BigInt64Array, BigUint64Array]) {
      const array = new Kind(8);
      outcomes[Kind.name] = crypto.getRandomValues(array) === array && array.some((value) => value != 0);
    }
    const part = new Uint8Array(100);
    crypto.getRandomValues(part.subarray(40, 60));
    outcomes.part = part.subarray(0, 40).every((v) => v === 0) && part.subarray(60).every((v) => v === 0);
    outcomes.none = crypto.getRandomValues(new Uint8Array(0)).length === 0;
    outcomes.most = crypto.getRandomValues(new Uint8Array(65536)).length === 65536;
    return outcomes;
    """
    outcomes = isolate.run(source)
    assert len(outcomes) == 12
    assert all(outcomes.values())


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("new Float32Array(1)", "TypeMismatchError"),
        ("new Float64Array(1)", "TypeMismatchError"),
        ("new DataView(new ArrayBuffer(4))", "TypeMismatchError"),
        ("new Uint8Array(65537)", "QuotaExceededError"),
        ("new Uint32Array(16385)", "QuotaExceededError"),
        ("new Uint8Array(new SharedArrayBuffer(4))", "TypeError"),
        ("[1, 2]", "TypeError"),
        ("new ArrayBuffer(4)", "TypeError"),
        ("undefined", "TypeError"),
    ],
)
def test_random_values_refused(isolate: Isolate, argument: str, name: str) -> None:
    assert isolate.run(f"return nameOf(() => crypto.getRandomValues({argument}))") == name


# --- JWT: RFC 7515 A.1, A.2, A.3 -------------------------------------------------------------------------------------

PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
HS_KEY = {
    "kty": "oct",
    "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
}
RS_KEY = {
    "kty": "RSA",
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SF"
    "d2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTB"
    "EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2"
    "PAcDTW9gb54h4FRWyuXpoQ",
    "e": "AQAB",
    "d": "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395"
    "IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZH"
    "HzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjn"
    "czT0QU91p1DhOVRuOopznQ",
    "p": "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7"
    "ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
    "q": "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wD"
    "mpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
    "dp": "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12S"
    "k3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
    "dq": "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd"
    "2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
    "qi": "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLE"
    "dfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U",
}
ES_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
}
JWTS = {
    "HS256": (
        "{ name: 'HMAC', hash: 'SHA-256' }",
        HS_KEY,
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    ),
    "RS256": (
        "{ name: 'RSASSA-PKCS1-v1_5', hash: { name: 'SHA-256' } }",
        RS_KEY,
        "eyJhbGciOiJSUzI1NiJ9",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU"
        "Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d"
        "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig"
        "cN_IoypGlUPQGe77Rw",
    ),
    "ES256": (
        "{ name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }",
        ES_KEY,
        "eyJhbGciOiJFUzI1NiJ9",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
}


@pytest.mark.parametrize("kind", JWTS)
def test_jwt(isolate: Isolate, kind: str) -> None:
    algorithm, jwk, head, signature = JWTS[kind]
    public = {name: jwk[name] for name in ("kty", "k", "n", "e", "crv", "x", "y") if name in jwk}
    source = f"""
    const algorithm = {algorithm};
    const [jwk, open] = {json.dumps([{**jwk, "alg": kind, "use": "sig"}, public])};
    const data = utf8("{head}.{PAYLOAD}");
    const key = await crypto.subtle.importKey("jwk", jwk, algorithm, true, ["sign"]);
    const other = await crypto.subtle.importKey("jwk", open, algorithm, true, ["verify"]);
    const signed = await crypto.subtle.sign(algorithm, key, data);
    const verify = (signature, data) => crypto.subtle.verify(algorithm, other, signature, data);
    const exported = await crypto.subtle.exportKey("jwk", key);
    return [
      base64(signed), await verify(signed, data), await verify(unbase64("{signature}"), data),
      await verify(signed, utf8("{head}.x{PAYLOAD}")), exported,
    ];
    """
    signed, *verified, exported = isolate.run(source)
    assert verified == [True, True, False]
    assert kind == "ES256" or signed == signature
    alg = {} if kind == "ES256" else {"alg": kind}
    assert exported == {**jwk, **alg, "key_ops": ["sign"], "ext": True}


# --- ciphers ---------------------------------------------------------------------------------------------------------


def test_aes_gcm_with_additional_data(isolate: Isolate) -> None:
    source = """
    const raw = crypto.getRandomValues(new Uint8Array(32));
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
    const algorithm = { name: "aes-gcm", iv, additionalData: utf8("who") };
    const data = utf8("secret");
    const pending = crypto.subtle.encrypt(algorithm, key, data);
    data.fill(0); // what was given was copied
    const encrypted = await pending;
    const decrypted = await crypto.subtle.decrypt(algorithm, key, encrypted);
    return {
      raw: hex(raw), iv: hex(iv), encrypted: hex(encrypted), decrypted: hex(decrypted),
      isBuffer: encrypted instanceof ArrayBuffer && decrypted instanceof ArrayBuffer,
      key: [key.type, key.extractable, key.algorithm, key.usages, String(key)],
      without: await nameOf(() => crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, encrypted)),
      tag: await nameOf(() => crypto.subtle.decrypt({ ...algorithm, tagLength: 100 }, key, encrypted)),
      exported: await nameOf(() => crypto.subtle.exportKey("raw", key)),
      exportedJwk: await nameOf(() => crypto.subtle.exportKey("jwk", key)),
      signs: await nameOf(() => crypto.subtle.sign("HMAC", key, data)),
    };
    """
    result = isolate.run(source)
    raw, iv = bytes.fromhex(result["raw"]), bytes.fromhex(result["iv"])
    assert AESGCM(raw).decrypt(iv, bytes.fromhex(result["encrypted"]), b"who") == b"secret"
    assert bytes.fromhex(result["decrypted"]) == b"secret"
    assert result["isBuffer"]
    algorithm = {"name": "AES-GCM", "length": 256}
    assert result["key"] == ["secret", False, algorithm, ["encrypt", "decrypt"], "[object CryptoKey]"]
    assert [result[name] for name in ("without", "tag")] == ["OperationError", "OperationError"]
    assert [result[name] for name in ("exported", "exportedJwk", "signs")] == ["InvalidAccessError"] * 3


@pytest.mark.parametrize(
    "algorithm",
    [
        "{ name: 'AES-CBC', iv: new Uint8Array(16) }",
        "{ name: 'AES-CTR', counter: new Uint8Array(16).fill(255), length: 32 }",
        "{ name: 'AES-GCM', iv: new Uint8Array(12) }",
    ],
)
def test_large_data_go_in_pieces(isolate: Isolate, algorithm: str) -> None:
    source = f"""
    const algorithm = {algorithm};
    const key = await crypto.subtle.generateKey({{ ...algorithm, length: 256 }}, false, ["encrypt", "decrypt"]);
    const data = new Uint8Array(3_000_001).map((_, i) => i * 7);
    const encrypted = await crypto.subtle.encrypt(algorithm, key, data);
    const decrypted = new Uint8Array(await crypto.subtle.decrypt(algorithm, key, encrypted));
    const digest = (bytes) => crypto.subtle.digest("SHA-256", bytes);
    const digests = await Promise.all([data, decrypted, new Uint8Array(0)].map(digest));
    return [encrypted.byteLength >= data.length, ...digests.map(hex)];
    """
    expected = hashlib.sha256(bytes(i * 7 % 256 for i in range(3_000_001))).hexdigest()
    assert isolate.run(source) == [True, expected, expected, hashlib.sha256(b"").hexdigest()]
    assert {"crypto.push", "crypto.pull"} <= set(isolate.asked)


def test_rsa_oaep(isolate: Isolate) -> None:
    source = f"""
    const jwk = {json.dumps(RS_KEY)};
    const algorithm = {{ name: "RSA-OAEP", hash: "SHA-256" }};
    const ours = await crypto.subtle.importKey("jwk", jwk, algorithm, true, ["decrypt", "unwrapKey"]);
    const theirs = await crypto.subtle.importKey("jwk", {{ kty: "RSA", n: jwk.n, e: jwk.e }}, algorithm, true,
      ["encrypt", "wrapKey"]);
    const label = utf8("label");
    const encrypted = await crypto.subtle.encrypt({{ name: "RSA-OAEP", label }}, theirs, utf8("secret"));
    const key = await crypto.subtle.generateKey({{ name: "AES-GCM", length: 128 }}, true, ["encrypt"]);
    const wrapped = await crypto.subtle.wrapKey("raw", key, theirs, "RSA-OAEP");
    const again = await crypto.subtle.unwrapKey("raw", wrapped, ours, "RSA-OAEP", "AES-GCM", true, ["encrypt"]);
    return [
      hex(await crypto.subtle.decrypt({{ name: "RSA-OAEP", label }}, ours, encrypted)) === hex(utf8("secret")),
      hex(await crypto.subtle.exportKey("raw", key)) === hex(await crypto.subtle.exportKey("raw", again)),
      await nameOf(() => crypto.subtle.decrypt("RSA-OAEP", ours, encrypted)),
      await nameOf(() => crypto.subtle.encrypt("RSA-OAEP", ours, label)),
      ours.algorithm.modulusLength, hex(ours.algorithm.publicExponent), ours.algorithm.hash.name,
    ];
    """
    expected = [True, True, "OperationError", "InvalidAccessError", 2048, "010001", "SHA-256"]
    assert isolate.run(source) == expected


# --- keys ------------------------------------------------------------------------------------------------------------

RSA = "modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1])"
PAIRS = {
    "RSASSA-PKCS1-v1_5": (f"{RSA}, hash: 'SHA-512'", "sign", "verify"),
    "RSA-PSS": (f"{RSA}, hash: 'SHA-1', saltLength: 20", "sign", "verify"),
    "RSA-OAEP": (f"{RSA}, hash: 'SHA-1'", "decrypt", "encrypt"),
    "ECDSA": ("namedCurve: 'P-521', hash: 'SHA-384'", "sign", "verify"),
    "Ed25519": ("", "sign", "verify"),
    "ECDH": ("namedCurve: 'P-384'", "deriveBits", ""),
    "X25519": ("", "deriveBits", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_of_keys(isolate: Isolate, name: str) -> None:
    """Make a pair, take each half out and in again in every format, and use what came in."""
    parameters, private, public = PAIRS[name]
    source = f"""
    const algorithm = {{ name: "{name}", {parameters} }};
    const [private_, public_] = [["{private}"], "{public}" ? ["{public}"] : []];
    const pair = await crypto.subtle.generateKey(algorithm, true, [...public_, ...private_]);
    const move = async (key, format, usages) => {{
      const data = await crypto.subtle.exportKey(format, key);
      return crypto.subtle.importKey(format, data, algorithm, false, usages);
    }};
    const keys = [
      [await move(pair.privateKey, "pkcs8", private_), await move(pair.publicKey, "spki", public_)],
      [await move(pair.privateKey, "jwk", private_), await move(pair.publicKey, "jwk", public_)],
    ];
    if (!algorithm.modulusLength) keys.push([pair.privateKey, await move(pair.publicKey, "raw", public_)]);
    const results = [];
    const data = utf8("data");
    for (const [ours, theirs] of keys) {{
      if (private_[0] === "sign") {{
        const signed = await crypto.subtle.sign(algorithm, ours, data);
        results.push(await crypto.subtle.verify(algorithm, theirs, signed, data));
      }} else if (private_[0] === "decrypt") {{
        const encrypted = await crypto.subtle.encrypt(algorithm, theirs, data);
        results.push(hex(await crypto.subtle.decrypt(algorithm, ours, encrypted)) === hex(data));
      }} else {{
        const derive = (key, other) => crypto.subtle.deriveBits({{ ...algorithm, public: other }}, key, 128);
        const stranger = await crypto.subtle.generateKey(algorithm, false, private_);
        results.push(hex(await derive(ours, stranger.publicKey)) === hex(await derive(stranger.privateKey, theirs)));
      }}
    }}
    return [results, pair.publicKey.type, pair.privateKey.type, pair.publicKey.usages, pair.privateKey.usages,
      pair.publicKey.algorithm.name, await nameOf(() => crypto.subtle.exportKey("raw", pair.privateKey)),
      await nameOf(() => crypto.subtle.exportKey("pkcs8", keys[0][0]))];
    """
    results, *facts, raw, locked = isolate.run(source)
    assert all(results)
    assert len(results) == (2 if name.startswith("RSA") else 3)
    assert facts == ["public", "private", [public] if public else [], [private], name]
    assert raw == ("NotSupportedError" if name.startswith("RSA") else "InvalidAccessError")
    assert locked == "InvalidAccessError"


def test_derived_keys(isolate: Isolate) -> None:
    source = """
    const secret = await crypto.subtle.importKey("raw", utf8("password"), "PBKDF2", false, ["deriveKey", "deriveBits"]);
    const stretch = { name: "PBKDF2", hash: "SHA-256", salt: utf8("salt"), iterations: 1000 };
    const aes = { name: "AES-GCM", length: 256 };
    const key = await crypto.subtle.deriveKey(stretch, secret, aes, true, ["encrypt"]);
    const mac = await crypto.subtle.deriveKey(stretch, secret, { name: "HMAC", hash: "SHA-512" }, true, ["sign"]);
    const seed = await crypto.subtle.importKey("raw", utf8("seed"), "HKDF", false, ["deriveKey"]);
    const expand = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: new Uint8Array(0) };
    const kw = await crypto.subtle.deriveKey(expand, seed, { name: "AES-KW", length: 128 }, true, ["wrapKey"]);
    return {
      bits: hex(await crypto.subtle.deriveBits(stretch, secret, 256)),
      key: hex(await crypto.subtle.exportKey("raw", key)), mac: mac.algorithm, kw: kw.algorithm,
      noLength: await nameOf(() => crypto.subtle.deriveBits(stretch, secret)),
      odd: await nameOf(() => crypto.subtle.deriveBits(stretch, secret, 7)),
      many: await nameOf(() => crypto.subtle.deriveBits({ ...stretch, iterations: 2_000_000 }, secret, 256)),
      none: await nameOf(() => crypto.subtle.deriveBits({ ...stretch, iterations: 0 }, secret, 256)),
      usage: await nameOf(() => crypto.subtle.deriveBits(expand, seed, 256)),
      another: await nameOf(() => crypto.subtle.deriveBits(expand, secret, 256)),
      size: await nameOf(() => crypto.subtle.deriveKey(stretch, secret, { ...aes, length: 100 }, true, ["encrypt"])),
      extractable: await nameOf(() => crypto.subtle.importKey("raw", utf8("x"), "HKDF", true, ["deriveKey"])),
      exported: await nameOf(() => crypto.subtle.exportKey("raw", seed)),
    };
    """
    result = isolate.run(source)
    bits = hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 1000).hex()
    assert result.pop("bits") == result.pop("key") == bits
    assert result.pop("mac") == {"name": "HMAC", "hash": {"name": "SHA-512"}, "length": 1024}
    assert result.pop("kw") == {"name": "AES-KW", "length": 128}
    assert result == {
        "noLength": "OperationError",
        "odd": "OperationError",
        "many": "OperationError",
        "none": "OperationError",
        "usage": "InvalidAccessError",
        "another": "InvalidAccessError",
        "size": "OperationError",
        "extractable": "SyntaxError",
        "exported": "NotSupportedError",
    }


@pytest.mark.parametrize("format", ["raw", "jwk"])
@pytest.mark.parametrize(
    "wrapping",
    [
        "{ name: 'AES-KW' }",
        "{ name: 'AES-GCM', iv: new Uint8Array(12) }",
        "{ name: 'AES-CBC', iv: new Uint8Array(16) }",
    ],
)
def test_wrapped_keys(isolate: Isolate, wrapping: str, format: str) -> None:
    source = f"""
    const wrapping = {wrapping};
    const ours = await crypto.subtle.generateKey({{ ...wrapping, length: 256 }}, false, ["wrapKey", "unwrapKey"]);
    const key = await crypto.subtle.generateKey({{ name: "HMAC", hash: "SHA-256" }}, true, ["sign", "verify"]);
    const locked = await crypto.subtle.generateKey({{ name: "HMAC", hash: "SHA-256" }}, false, ["sign"]);
    const refused = [
      await nameOf(() => crypto.subtle.wrapKey("{format}", locked, ours, wrapping)),
      await nameOf(() => crypto.subtle.encrypt(wrapping, ours, new Uint8Array(16))),
    ];
    let wrapped;
    try {{
      wrapped = await crypto.subtle.wrapKey("{format}", key, ours, wrapping);
    }} catch (e) {{
      return [e.name, refused, null];
    }}
    const unwrap = (wrapped) => crypto.subtle.unwrapKey("{format}", wrapped, ours, wrapping,
      {{ name: "HMAC", hash: "SHA-256" }}, true, ["sign"]);
    const bytesOf = async (key) => hex(await crypto.subtle.exportKey("raw", key));
    const again = await unwrap(wrapped);
    const broken = new Uint8Array(wrapped).fill(0, 0, 8);
    return [(await bytesOf(key)) === (await bytesOf(again)), refused, await nameOf(() => unwrap(broken))];
    """
    # A JWK of HMAC with these usages is not a multiple of 8 characters long, which is what AES-KW takes. CBC does not
    # notice that its first block is another one: the key is, or it is no JSON any more.
    is_kw, is_cbc, is_jwk = "KW" in wrapping, "CBC" in wrapping, format == "jwk"
    refused = ["InvalidAccessError", "NotSupportedError" if is_kw else "InvalidAccessError"]
    broken = "OperationError" if not is_cbc else "DataError" if is_jwk else "nothing"
    expected = ["OperationError", refused, None] if is_kw and is_jwk else [True, refused, broken]
    assert isolate.run(source) == expected


def test_asymmetric_keys_are_wrapped_too(isolate: Isolate) -> None:
    source = """
    const wrapping = { name: "AES-GCM", iv: new Uint8Array(12) };
    const ours = await crypto.subtle.generateKey({ ...wrapping, length: 256 }, false, ["wrapKey", "unwrapKey"]);
    const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    const results = [];
    for (const format of ["pkcs8", "jwk"]) {
      const wrapped = await crypto.subtle.wrapKey(format, pair.privateKey, ours, wrapping);
      const key = await crypto.subtle.unwrapKey(format, wrapped, ours, wrapping, "Ed25519", false, ["sign"]);
      const signed = await crypto.subtle.sign("Ed25519", key, utf8("data"));
      results.push(await crypto.subtle.verify("Ed25519", pair.publicKey, signed, utf8("data")), key.extractable);
    }
    return results;
    """
    assert isolate.run(source) == [True, False, True, False]


def test_a_key_cannot_be_changed_from_outside(isolate: Isolate) -> None:
    source = """
    const key = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256", length: 9 }, false, ["sign"]);
    key.algorithm.name = "AES-GCM";
    key.algorithm.hash.name = "SHA-1";
    key.usages.push("verify");
    const set = (name, value) => nameOf(async () => { "use strict"; key[name] = value; });
    return [
      (await crypto.subtle.sign("HMAC", key, utf8("x"))).byteLength,
      await nameOf(() => crypto.subtle.verify("HMAC", key, new Uint8Array(32), utf8("x"))),
      await set("extractable", true), await set("type", "public"), key.extractable, Object.keys(key),
      await nameOf(() => crypto.subtle.exportKey("raw", key)),
      await nameOf(() => new CryptoKey()), await nameOf(() => new SubtleCrypto()), await nameOf(() => new Crypto()),
      await nameOf(() => crypto.subtle.exportKey("raw", Object.create(CryptoKey.prototype))),
    ];
    """
    assert isolate.run(source) == [
        32, "InvalidAccessError", "TypeError", "TypeError", False, [], "InvalidAccessError",
        "TypeError", "TypeError", "TypeError", "TypeError",
    ]  # fmt: skip


REFUSED = [
    ("digest('MD5', utf8('x'))", "NotSupportedError"),
    ("digest({}, utf8('x'))", "TypeError"),
    ("digest('constructor', utf8('x'))", "NotSupportedError"),
    ("digest('SHA-256', 'x')", "TypeError"),
    ("digest('SHA-256', [1])", "TypeError"),
    ("digest('SHA-256', new Uint8Array(new SharedArrayBuffer(1)))", "TypeError"),
    ("digest('SHA-256')", "TypeError"),
    ("generateKey({ name: 'AES-GCM', length: 100 }, true, ['encrypt'])", "OperationError"),
    ("generateKey({ name: 'AES-GCM', length: 256 }, true, [])", "SyntaxError"),
    ("generateKey({ name: 'AES-GCM', length: 256 }, true, ['sign'])", "SyntaxError"),
    ("generateKey({ name: 'AES-GCM', length: 256 }, true, ['fly'])", "TypeError"),
    ("generateKey({ name: 'AES-GCM', length: 70000 }, true, ['encrypt'])", "TypeError"),
    ("generateKey({ name: 'AES-GCM' }, true, ['encrypt'])", "TypeError"),
    ("generateKey({ name: 'HMAC', hash: 'SHA-256', length: 0 }, true, ['sign'])", "OperationError"),
    ("generateKey({ name: 'HMAC', hash: 'MD5' }, true, ['sign'])", "NotSupportedError"),
    ("generateKey({ name: 'ECDSA', namedCurve: 'P-192' }, true, ['sign'])", "NotSupportedError"),
    ("generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify'])", "SyntaxError"),
    ("generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['deriveBits'])", "SyntaxError"),
    ("generateKey('PBKDF2', true, ['deriveBits'])", "NotSupportedError"),
    ("generateKey({ name: 'RSA-PSS', hash: 'SHA-1', modulusLength: 512, publicExponent: new Uint8Array([3]) },"
     " true, ['sign'])", "OperationError"),
    ("generateKey({ name: 'RSA-PSS', hash: 'SHA-1', modulusLength: 2048, publicExponent: new Uint8Array([4]) },"
     " true, ['sign'])", "OperationError"),
    ("generateKey({ name: 'RSA-PSS', hash: 'SHA-1', modulusLength: 2048, publicExponent: [3] }, true, ['sign'])",
     "TypeError"),
    ("importKey('raw', new Uint8Array(5), 'AES-GCM', true, ['encrypt'])", "DataError"),
    ("importKey('raw', new Uint8Array(16), 'AES-GCM', true, [])", "SyntaxError"),
    ("importKey('raw', new Uint8Array(0), { name: 'HMAC', hash: 'SHA-1' }, true, ['sign'])", "DataError"),
    ("importKey('raw', new Uint8Array(4), { name: 'HMAC', hash: 'SHA-1', length: 40 }, true, ['sign'])", "DataError"),
    ("importKey('spki', new Uint8Array(4), { name: 'HMAC', hash: 'SHA-1' }, true, ['sign'])", "NotSupportedError"),
    ("importKey('spki', new Uint8Array(40), 'Ed25519', true, ['verify'])", "DataError"),
    ("importKey('pkcs8', new Uint8Array(40), 'Ed25519', true, ['sign'])", "DataError"),
    ("importKey('pkcs8', new Uint8Array(40), 'Ed25519', true, ['verify'])", "SyntaxError"),
    ("importKey('raw', new Uint8Array(31), 'Ed25519', true, ['verify'])", "DataError"),
    ("importKey('raw', new Uint8Array(65), { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify'])", "DataError"),
    ("importKey('raw', new Uint8Array(65), { name: 'RSA-PSS', hash: 'SHA-1' }, true, ['verify'])", "NotSupportedError"),
    ("importKey('pem', new Uint8Array(65), 'Ed25519', true, ['verify'])", "TypeError"),
    ("importKey('jwk', new Uint8Array(65), 'Ed25519', true, ['verify'])", "TypeError"),
    ("importKey('raw', { kty: 'oct' }, 'AES-GCM', true, ['encrypt'])", "TypeError"),
    ("importKey('jwk', { kty: 'oct', k: '???' }, 'AES-GCM', true, ['encrypt'])", "DataError"),
    ("importKey('jwk', { kty: 'RSA', k: 'AAAA' }, 'AES-GCM', true, ['encrypt'])", "DataError"),
    ("importKey('jwk', { ...OCT, alg: 'A128CBC' }, 'AES-GCM', true, ['encrypt'])", "DataError"),
    ("importKey('jwk', { ...OCT, alg: 'A128GCM' }, 'AES-GCM', true, ['encrypt'])", "nothing"),
    ("importKey('jwk', { ...OCT, use: 'sig' }, 'AES-GCM', true, ['encrypt'])", "DataError"),
    ("importKey('jwk', { ...OCT, ext: false }, 'AES-GCM', true, ['encrypt'])", "DataError"),
    ("importKey('jwk', { ...OCT, ext: false }, 'AES-GCM', false, ['encrypt'])", "nothing"),
    ("importKey('jwk', { ...OCT, key_ops: ['decrypt'] }, 'AES-GCM', true, ['encrypt'])", "DataError"),
    ("importKey('jwk', { ...OCT, key_ops: ['encrypt', 'encrypt'] }, 'AES-GCM', true, ['encrypt'])", "DataError"),
    ("importKey('jwk', { ...OCT, key_ops: 7 }, 'AES-GCM', true, ['encrypt'])", "TypeError"),
    ("importKey('jwk', { kty: 'OKP', crv: 'X25519', x: 'A'.repeat(43) }, 'Ed25519', true, ['verify'])", "DataError"),
    ("importKey('jwk', { kty: 'EC', crv: 'P-384', x: 'AA', y: 'AA' }, { name: 'ECDH', namedCurve: 'P-256' }, true,"
     " [])", "DataError"),
    ("importKey('jwk', { kty: 'RSA', n: 'AQAB', e: 'AQAB', d: 'AQ', oth: [] }, { name: 'RSA-PSS', hash: 'SHA-1' },"
     " true, ['sign'])", "NotSupportedError"),
    ("encrypt('AES-GCM', {}, new Uint8Array(1))", "TypeError"),
    ("unwrapKey('raw', new Uint8Array(1), {}, 'AES-KW', 'HKDF', false, [])", "TypeError"),
    ("digest.call({}, 'SHA-256', utf8('x'))", "TypeError"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "name"), REFUSED, ids=[call for call, _ in REFUSED])
def test_refusals(isolate: Isolate, call: str, name: str) -> None:
    source = f"const OCT = {{ kty: 'oct', k: 'AAAAAAAAAAAAAAAAAAAAAA' }}; return nameOf(() => crypto.subtle.{call})"
    assert isolate.run(source) == name


def test_an_operation_never_throws_at_once(isolate: Isolate) -> None:
    source = """
    const outcomes = [];
    for (const name of Object.getOwnPropertyNames(SubtleCrypto.prototype)) {
      if (name === "constructor") continue;
      const promise = crypto.subtle[name]();
      outcomes.push(promise instanceof Promise && (await nameOf(() => promise)) === "TypeError");
    }
    return outcomes;
    """
    assert isolate.run(source) == [True] * 12


def test_many_at_once_and_the_host_is_out_of_reach(isolate: Isolate) -> None:
    source = """
    const key = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
    const data = Array.from({ length: 300 }, (_, i) => utf8(`number ${i}`));
    const codes = await Promise.all(data.map((one) => crypto.subtle.sign("HMAC", key, one)));
    const checks = await Promise.all(codes.map((code, i) => crypto.subtle.verify("HMAC", key, code, data[i])));
    const names = [crypto, crypto.subtle, key].flatMap((object) => Reflect.ownKeys(object));
    return [checks.every((check) => check === true), new Set(codes.map(hex)).size, names];
    """
    assert isolate.run(source) == [True, 300, []]


def test_the_message_says_what_to_do(isolate: Isolate) -> None:
    source = """
    const key = await crypto.subtle.importKey("raw", new Uint8Array(16), "AES-GCM", false, ["encrypt"]);
    await crypto.subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(3) }, key, new Uint8Array(1));
    """
    with pytest.raises(ScriptError, match=r"OperationError: iv must have 8 to 128 bytes \(12 is best\), not 3\."):
        isolate.run(source)
