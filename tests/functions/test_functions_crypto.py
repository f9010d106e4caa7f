"""WebCrypto's operations: known answers of the standards, agreement with the library, and keys that are none."""

import pytest
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils, x25519
from webcrypto_asking import CURVES, HASHES, KEYS, RSA_KEY, ask, pkcs8, spki, x

from fazt.errors import CryptoDataInvalid, CryptoFailed, CryptoNotSupported, InvalidInput
from fazt.functions import webcrypto_signatures

# --- known answers ---------------------------------------------------------------------------------------------------

ABC = {  # FIPS 180-4
    "SHA-1": "a9993e364706816aba3e25717850c26c9cd0d89d",
    "SHA-256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "SHA-384": "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    "SHA-512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
}


@pytest.mark.parametrize("name", HASHES)
def test_digests(name: str) -> None:
    assert ask("digest", {"name": name}, b"abc")[1].hex() == ABC[name]


HMACS = [  # RFC 4231 4.2, 4.3, 4.7
    (b"\x0b" * 20, b"Hi There", "SHA-256", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"\x0b" * 20, b"Hi There", "SHA-384", "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
     "faea9ea9076ede7f4af152e8b2fa9cb6"),
    (b"\x0b" * 20, b"Hi There", "SHA-512", "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
     "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"),
    (b"Jefe", b"what do ya want for nothing?", "SHA-256",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 131, b"Test Using Larger Than Block-Size Key - Hash Key First", "SHA-256",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "data", "hash", "code"), HMACS)
def test_hmac(key: bytes, data: bytes, hash: str, code: str) -> None:
    algorithm = {"name": "HMAC", "hash": hash}
    assert ask("sign", algorithm, key, data)[1].hex() == code
    assert ask("verify", algorithm, key, x(code), data) == (True, b"")
    assert ask("verify", algorithm, key, x(code)[:-1], data) == (False, b"")
    assert ask("verify", algorithm, key, x(code), data + b".") == (False, b"")


STRETCHED = [  # RFC 6070, RFC 7914 11
    (b"password", b"salt", 1, "SHA-1", "0c60c80f961f0e71f3a9b524af6012062fe037a6"),
    (b"password", b"salt", 4096, "SHA-1", "4b007901b765489abead49d926f721d065a429c1"),
    (b"passwordPASSWORDpassword", b"saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096, "SHA-1",
     "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038"),
    (b"pass\0word", b"sa\0lt", 4096, "SHA-1", "56fa6aa75548099dcc37d7f03425e0c3"),
    (b"passwd", b"salt", 1, "SHA-256", "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
     "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"),
]  # fmt: skip


@pytest.mark.parametrize(("secret", "salt", "iterations", "hash", "derived"), STRETCHED)
def test_pbkdf2(secret: bytes, salt: bytes, iterations: int, hash: str, derived: str) -> None:
    algorithm = {"name": "PBKDF2", "hash": hash, "iterations": iterations}
    assert ask("derive", algorithm, secret, salt, length=len(derived) * 4)[1].hex() == derived


EXPANDED = [  # RFC 5869 A.1, A.3
    (x("000102030405060708090a0b0c"), x("f0f1f2f3f4f5f6f7f8f9"),
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"),
    (b"", b"", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
]  # fmt: skip


@pytest.mark.parametrize(("salt", "info", "derived"), EXPANDED)
def test_hkdf(salt: bytes, info: bytes, derived: str) -> None:
    algorithm = {"name": "HKDF", "hash": "SHA-256"}
    assert ask("derive", algorithm, b"\x0b" * 22, salt, info, length=336)[1].hex() == derived


def test_x25519() -> None:
    """RFC 7748 6.1, with the keys as RFC 8037 A.6 writes them."""
    algorithm = {"name": "X25519"}
    alice = {
        "kty": "OKP", "crv": "X25519",
        "d": "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo",
    }  # fmt: skip
    bob = {"kty": "OKP", "crv": "X25519", "x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}
    ours, theirs = (ask("import", algorithm, format="jwk", jwk=jwk)[1] for jwk in (alice, bob))
    secret = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    assert ask("derive", algorithm, ours, theirs, length=None)[1].hex() == secret
    assert ask("derive", algorithm, ours, theirs, length=12)[1].hex() == "4a50"  # the bits behind are cleared


WRAPPED = [  # RFC 3394 4.1, 4.3, 4.6
    (16, "00112233445566778899aabbccddeeff", "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"),
    (32, "00112233445566778899aabbccddeeff", "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"),
    (32, "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
     "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"),
]  # fmt: skip


@pytest.mark.parametrize(("key_bytes", "data", "wrapped"), WRAPPED)
def test_aes_kw(key_bytes: int, data: str, wrapped: str) -> None:
    key = bytes(range(key_bytes))
    assert ask("encrypt", {"name": "AES-KW"}, key, x(data))[1].hex() == wrapped
    assert ask("decrypt", {"name": "AES-KW"}, key, x(wrapped))[1].hex() == data
    with pytest.raises(CryptoFailed):
        ask("decrypt", {"name": "AES-KW"}, key, x(wrapped)[:-1] + b"\0")


GCM_KEY = "feffe9928665731c6d6a8f9467308308"
GCM_DATA = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
)
GCMS = [  # McGrew and Viega, test cases 4 and 16
    (GCM_KEY, "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091", "5bc94fbc3221a5db94fae95ae7121a47"),
    (GCM_KEY * 2, "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662", "76fc6ece0f4e1768cddf8853bb2d551b"),
]  # fmt: skip


@pytest.mark.parametrize("tag_bits", [128, 96, 32])
@pytest.mark.parametrize(("key", "encrypted", "tag"), GCMS)
def test_aes_gcm(key: str, encrypted: str, tag: str, tag_bits: int) -> None:
    algorithm = {"name": "AES-GCM", "tagLength": tag_bits}
    others = x(key), x("cafebabefacedbaddecaf888"), x("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    whole = x(encrypted) + x(tag)[: tag_bits // 8]
    assert ask("encrypt", algorithm, *others, x(GCM_DATA))[1] == whole
    assert ask("decrypt", algorithm, *others, whole)[1] == x(GCM_DATA)
    for broken in (whole[:-1], bytes([whole[0] ^ 1]) + whole[1:], whole[: tag_bits // 8 - 1], b""):
        with pytest.raises(CryptoFailed, match="cannot be decrypted"):
            ask("decrypt", algorithm, *others, broken)


# SP 800-38A F.2.1, F.5.1
NIST_KEY = x("2b7e151628aed2a6abf7158809cf4f3c")
NIST_DATA = x(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)


def test_aes_cbc() -> None:
    algorithm, iv = {"name": "AES-CBC"}, bytes(range(16))
    encrypted = ask("encrypt", algorithm, NIST_KEY, iv, NIST_DATA)[1]
    assert encrypted[:64].hex() == (
        "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
        "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"
    )
    assert len(encrypted) == 80  # a whole block of padding
    assert ask("decrypt", algorithm, NIST_KEY, iv, encrypted)[1] == NIST_DATA
    for broken in (encrypted[:-1], encrypted[:-16], b""):
        with pytest.raises(CryptoFailed, match="cannot be decrypted"):
            ask("decrypt", algorithm, NIST_KEY, iv, broken)


def test_aes_ctr() -> None:
    counter = bytes(range(0xF0, 0x100))
    encrypted = (
        "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
        "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"
    )
    for length in (128, 64, 10):
        algorithm = {"name": "AES-CTR", "length": length}
        assert ask("encrypt", algorithm, NIST_KEY, counter, NIST_DATA)[1].hex() == encrypted
        assert ask("decrypt", algorithm, NIST_KEY, counter, x(encrypted))[1] == NIST_DATA


@pytest.mark.parametrize("length", [1, 2, 3, 8, 127])
def test_a_counter_comes_round_in_its_own_bits_only(length: int) -> None:
    """Each block by itself, with the counter that the standard gives it (WebCrypto, AES-CTR)."""
    start, mask = (0x5A << 120) | ((1 << length) - 1), (1 << length) - 1
    blocks = min(1 << length, 5)
    data = b"\0" * (16 * blocks)
    expected = b"".join(
        ask("encrypt", {"name": "AES-CTR", "length": 128}, NIST_KEY, block.to_bytes(16, "big"), b"\0" * 16)[1]
        for block in ((start & ~mask) | ((start + i) & mask) for i in range(blocks))
    )
    algorithm = {"name": "AES-CTR", "length": length}
    assert ask("encrypt", algorithm, NIST_KEY, start.to_bytes(16, "big"), data)[1] == expected
    if length < 8:
        with pytest.raises(CryptoFailed, match="too short"):
            ask("encrypt", algorithm, NIST_KEY, start.to_bytes(16, "big"), b"\0" * (16 * (1 << length) + 1))


ED25519 = [  # RFC 8032 7.1, tests 1 and 2
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", b"",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
     "d25bf5f0595bbe24655141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", b"\x72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"),
]  # fmt: skip


@pytest.mark.parametrize(("secret", "data", "signature"), ED25519)
def test_ed25519(secret: str, data: bytes, signature: str) -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(x(secret))
    algorithm = {"name": "Ed25519"}
    assert ask("sign", algorithm, pkcs8(key), data)[1].hex() == signature
    public = spki(key.public_key())
    assert ask("verify", algorithm, public, x(signature), data)[0] is True
    assert ask("verify", algorithm, public, x(signature), data + b".")[0] is False
    assert ask("verify", algorithm, public, x(signature)[:-1], data)[0] is False


def test_a_signature_that_fits_any_data_is_none() -> None:
    """The neutral point as the key and as R, with S = 0: RFC 8032's equation holds for all data."""
    prefix = spki(ed25519.Ed25519PrivateKey.generate().public_key())[:-32]
    neutral = (1).to_bytes(32, "little")
    p, y = webcrypto_signatures._P, webcrypto_signatures._Y8
    d = -121665 * pow(121666, -1, p)
    assert (d * y**4 + 2 * y**2 - 1) % p == 0  # the y of order 8: twice the point has the y 0
    assert ask("verify", {"name": "Ed25519"}, prefix + neutral, neutral + b"\0" * 32, b"anything")[0] is False


# --- agreement with the library --------------------------------------------------------------------------------------


@pytest.mark.parametrize("hash", HASHES)
@pytest.mark.parametrize("name", ["RSASSA-PKCS1-v1_5", "RSA-PSS"])
def test_rsa_signatures(name: str, hash: str) -> None:
    algorithm = {"name": name, "hash": hash, "saltLength": 20}
    data, digest = b"data" * 1000, getattr(hashes, hash.replace("-", ""))()
    form = padding.PKCS1v15() if name != "RSA-PSS" else padding.PSS(padding.MGF1(digest), 20)
    signature = ask("sign", algorithm, pkcs8(RSA_KEY), data)[1]
    RSA_KEY.public_key().verify(signature, data, form, digest)
    public = spki(RSA_KEY.public_key())
    assert ask("verify", algorithm, public, RSA_KEY.sign(data, form, digest), data)[0] is True
    assert ask("verify", algorithm, public, signature, data[1:])[0] is False
    assert ask("verify", algorithm, public, b"", data)[0] is False


def test_a_salt_longer_than_the_key() -> None:
    for salt in (300, 10**9):
        algorithm = {"name": "RSA-PSS", "hash": "SHA-256", "saltLength": salt}
        with pytest.raises(CryptoFailed):
            ask("sign", algorithm, pkcs8(RSA_KEY), b"data")
        assert ask("verify", algorithm, spki(RSA_KEY.public_key()), b"\1" * 256, b"data")[0] is False


@pytest.mark.parametrize("hash", HASHES)
@pytest.mark.parametrize("curve", CURVES)
def test_ecdsa(curve: str, hash: str) -> None:
    key = ec.generate_private_key(CURVES[curve])
    size = (key.key_size + 7) // 8
    algorithm, digest = {"name": "ECDSA", "namedCurve": curve, "hash": hash}, getattr(hashes, hash.replace("-", ""))()
    signature = ask("sign", algorithm, pkcs8(key), b"data")[1]
    assert len(signature) == 2 * size
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    key.public_key().verify(utils.encode_dss_signature(r, s), b"data", ec.ECDSA(digest))
    public = spki(key.public_key())
    assert ask("verify", algorithm, public, signature, b"data")[0] is True
    der = utils.encode_dss_signature(r, s)
    for broken in (signature[:-1], signature + b"\0", der, b"", b"\0" * 2 * size, b"\xff" * 2 * size):
        assert ask("verify", algorithm, public, broken, b"data")[0] is False


@pytest.mark.parametrize("hash", HASHES)
@pytest.mark.parametrize("label", [b"", b"label"])
def test_rsa_oaep(hash: str, label: bytes) -> None:
    algorithm, digest = {"name": "RSA-OAEP", "hash": hash}, getattr(hashes, hash.replace("-", ""))()
    form = padding.OAEP(padding.MGF1(digest), digest, label or None)
    encrypted = ask("encrypt", algorithm, spki(RSA_KEY.public_key()), label, b"secret")[1]
    assert RSA_KEY.decrypt(encrypted, form) == b"secret"
    assert ask("decrypt", algorithm, pkcs8(RSA_KEY), label, encrypted)[1] == b"secret"
    for broken in (encrypted[:-1], encrypted + b"\0", b"", b"\0" * 256, b"\xff" * 256):
        with pytest.raises(CryptoFailed, match="cannot be decrypted"):
            ask("decrypt", algorithm, pkcs8(RSA_KEY), label, broken)
    with pytest.raises(CryptoFailed, match="cannot be decrypted"):
        ask("decrypt", algorithm, pkcs8(RSA_KEY), label + b".", encrypted)
    with pytest.raises(CryptoFailed):
        ask("encrypt", algorithm, spki(RSA_KEY.public_key()), label, b"s" * 300)


@pytest.mark.parametrize("curve", CURVES)
def test_ecdh(curve: str) -> None:
    ours, theirs = ec.generate_private_key(CURVES[curve]), ec.generate_private_key(CURVES[curve])
    algorithm, secret = {"name": "ECDH", "namedCurve": curve}, ours.exchange(ec.ECDH(), theirs.public_key())
    parts = pkcs8(ours), spki(theirs.public_key())
    assert ask("derive", algorithm, *parts)[1] == secret
    assert ask("derive", algorithm, *parts, length=128)[1] == secret[:16]
    with pytest.raises(CryptoFailed, match="bits"):
        ask("derive", algorithm, *parts, length=8 * len(secret) + 1)
    other = ec.generate_private_key(CURVES["P-384" if curve == "P-256" else "P-256"])
    with pytest.raises(CryptoDataInvalid):
        ask("derive", algorithm, pkcs8(ours), spki(other.public_key()))


def test_x25519_refuses_a_point_without_a_secret() -> None:
    ours = x25519.X25519PrivateKey.generate()
    prefix = spki(ours.public_key())[:-32]
    with pytest.raises(CryptoFailed):
        ask("derive", {"name": "X25519"}, pkcs8(ours), prefix + b"\0" * 32)


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KEYS)
def test_keys_go_out_and_come_in_again(kind: str) -> None:
    algorithm, key = KEYS[kind]
    private, public = pkcs8(key), spki(key.public_key())
    assert ask("import", algorithm, private, format="pkcs8")[1] == private
    assert ask("import", algorithm, public, format="spki")[1] == public
    for der, type in ((private, "private"), (public, "public")):
        jwk = ask("export", algorithm, der, format="jwk", type=type)[0]["jwk"]
        facts, again = ask("import", algorithm, format="jwk", jwk=jwk)
        assert (facts["type"], again) == (type, der)
    if kind == "RSA":
        assert facts == {"type": "public", "modulusLength": 2048, "publicExponent": [1, 0, 1]}
        with pytest.raises(CryptoNotSupported):
            ask("export", algorithm, public, format="raw", type="public")
    else:
        raw = ask("export", algorithm, public, format="raw", type="public")[1]
        assert ask("import", algorithm, raw, format="raw") == ({"type": "public"}, public)


@pytest.mark.parametrize("kind", KEYS)
def test_the_halves_of_a_jwk_belong_together(kind: str) -> None:
    algorithm, key = KEYS[kind]
    jwk = ask("export", algorithm, pkcs8(key), format="jwk", type="private")[0]["jwk"]
    other = ask("generate", {**algorithm, "modulusLength": 2048, "publicExponent": [3]})
    end = other[0]["lengths"][0]
    strange = ask("export", algorithm, other[1][end:], format="jwk", type="public")[0]["jwk"]
    with pytest.raises(CryptoDataInvalid):
        ask("import", algorithm, format="jwk", jwk={**jwk, **strange})
    for name in sorted(set(jwk) - {"kty", "crv"}):
        for value in ("", "AQ", jwk[name][:-4], jwk[name] + "AAAA", jwk[name] + "=", "?" * 43, 7, None):
            if (name, value) == ("e", "AQABAAAA"):
                continue  # 64 bits: another exponent, whose d is not ours
            with pytest.raises(CryptoDataInvalid):
                ask("import", algorithm, format="jwk", jwk={**jwk, name: value})
    for name in sorted(set(jwk) - {"d"}):
        with pytest.raises(CryptoDataInvalid):
            ask("import", algorithm, format="jwk", jwk={key: jwk[key] for key in jwk if key != name})


def test_numbers_of_rsa_that_do_not_belong_together() -> None:
    numbers, public = RSA_KEY.private_numbers(), RSA_KEY.public_key().public_numbers()
    names = ("p", "q", "d", "dmp1", "dmq1", "iqmp")
    sound = {name: getattr(numbers, name) for name in names}
    for change in ({"dmp1": 1}, {"dmq1": numbers.dmq1 + 2}, {"iqmp": 5}, {"d": 3}):
        broken = rsa.RSAPrivateNumbers(**{**sound, **change}, public_numbers=public)
        der = pkcs8(broken.private_key(unsafe_skip_rsa_key_validation=True))
        for operation in ("import", "sign"):
            parts = (der,) if operation == "import" else (der, b"data")
            with pytest.raises(CryptoDataInvalid, match="belong together"):
                ask(operation, KEYS["RSA"][0] | {"saltLength": 0}, *parts, format="pkcs8")


def test_containers_of_other_standards_are_refused() -> None:
    encoding, plain = serialization.Encoding.DER, serialization.NoEncryption()
    for kind in ("RSA", "EC P-256"):
        algorithm, key = KEYS[kind]
        older = key.private_bytes(encoding, serialization.PrivateFormat.TraditionalOpenSSL, plain)
        with pytest.raises(CryptoDataInvalid, match="PKCS #8"):
            ask("import", algorithm, older, format="pkcs8")
    older = RSA_KEY.public_key().public_bytes(encoding, serialization.PublicFormat.PKCS1)
    with pytest.raises(CryptoDataInvalid, match="SubjectPublicKeyInfo"):
        ask("import", KEYS["RSA"][0], older, format="spki")
    locked = RSA_KEY.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"password")
    )
    with pytest.raises(CryptoDataInvalid):
        ask("import", KEYS["RSA"][0], locked, format="pkcs8")


@pytest.mark.parametrize("kind", ["Ed25519", "X25519"])
def test_damaged_keys_of_fixed_size(kind: str) -> None:
    algorithm, key = KEYS[kind]
    for format, der in (("pkcs8", pkcs8(key)), ("spki", spki(key.public_key()))):
        longer = der[:1] + bytes([der[1] + 1]) + der[2:] + b"\0"
        for broken in (der[:-1], der + b"\0", b"\x31" + der[1:], longer, b"", b"\x30", b"\x30\x80"):
            with pytest.raises(CryptoDataInvalid):
                ask("import", algorithm, broken, format=format)
    raw = key.public_key().public_bytes_raw()
    prefix = spki(key.public_key())[:-32]
    starts_with_zero = b"\0" + raw[1:]
    try:
        again = ask("import", algorithm, prefix + starts_with_zero, format="spki")[1]
    except CryptoDataInvalid:
        assert kind == "Ed25519"  # not every y is a point's
    else:
        assert again[-32:] == starts_with_zero
    for size in (31, 33):
        shorter = bytes([prefix[0], size + 10, *prefix[2:-2], size + 1, 0]) + (raw + raw)[:size]
        with pytest.raises(CryptoDataInvalid):
            ask("import", algorithm, shorter, format="spki")
        with pytest.raises(CryptoDataInvalid):
            ask("import", algorithm, (raw + raw)[:size], format="raw")


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_another_kind_are_refused(kind: str) -> None:
    der = spki(KEYS[kind][1].public_key()), pkcs8(KEYS[kind][1])
    for other in KEYS.keys() - {kind}:
        for format, data in zip(("spki", "pkcs8"), der, strict=True):
            with pytest.raises(CryptoDataInvalid):
                ask("import", KEYS[other][0], data, format=format)


@pytest.mark.parametrize("bits", [1024, 8192])
def test_sizes_of_rsa(bits: int) -> None:
    with pytest.raises(CryptoFailed):
        ask("generate", {"name": "RSA-PSS", "modulusLength": bits, "publicExponent": [1, 0, 1]})
    modulus = ((1 << bits) - 1) | 1
    public = spki(rsa.RSAPublicNumbers(65537, modulus).public_key())
    with pytest.raises(CryptoNotSupported, match="bits"):
        ask("import", KEYS["RSA"][0], public, format="spki")


def test_exponents_of_rsa() -> None:
    modulus = RSA_KEY.public_key().public_numbers().n
    public = spki(rsa.RSAPublicNumbers((1 << 65) + 1, modulus).public_key())
    with pytest.raises(CryptoDataInvalid, match="exponent"):
        ask("import", KEYS["RSA"][0], public, format="spki")
    for exponent in ([], [1], [2], [0, 0, 5], [1, 0, 1, 0], ["3"], None, [3] * 1000):
        with pytest.raises(InvalidInput):
            ask("generate", {"name": "RSA-PSS", "modulusLength": 2048, "publicExponent": exponent})


def test_the_library_agrees_on_wrapping() -> None:
    key, data = bytes(24), bytes(40)
    assert ask("encrypt", {"name": "AES-KW"}, key, data)[1] == keywrap.aes_key_wrap(key, data)
    for size in (0, 8, 15, 17):
        with pytest.raises(CryptoFailed):
            ask("encrypt", {"name": "AES-KW"}, key, bytes(size))
