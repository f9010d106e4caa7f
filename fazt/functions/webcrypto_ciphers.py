"""Ciphers: AES-GCM, AES-CBC, AES-CTR, AES-KW (RFC 3394) and RSA-OAEP.

Rule: what cannot be decrypted gives one and the same error, whatever the reason.
"""

from cryptography.hazmat.primitives import keywrap
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import AEADDecryptionContext, AEADEncryptionContext, Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR, GCM
from cryptography.hazmat.primitives.padding import PKCS7

from fazt.errors import CryptoDataInvalid, CryptoFailed, CryptoNotSupported, InvalidInput
from fazt.functions.webcrypto_input import Asked, otherwise
from fazt.functions.webcrypto_keys import Wanted, load_private, load_public

BLOCK_BYTES = 16
# The library holds the interpreter's lock while it runs AES; so much of it takes a tenth of a millisecond.
PIECE_BYTES = 131_072
TAG_BITS = (32, 64, 96, 104, 112, 120, 128)
GCM_IV_BYTES = (8, 128)  # what the library takes; 12 is what everybody uses
MAX_WRAPPED_BYTES = 65_536  # AES-KW is for keys, and is slow
MAX_LABEL_BYTES = 65_536
_UNREADABLE = "This cannot be decrypted: the key, the parameters or the data are not those of the encryption."


def encrypt(asked: Asked) -> bytes:
    """Return the data, the last part, encrypted with the key, the first. Raises: FaztError."""
    match asked.name:
        case "AES-GCM":
            return _encrypt_gcm(asked)
        case "AES-CBC":
            key, iv, data = asked.take(3)
            missing = BLOCK_BYTES - len(data) % BLOCK_BYTES  # RFC 5652 6.3: so many bytes of that value
            return _run(Cipher(_aes(key), CBC(_block(iv, "iv"))).encryptor(), data, bytes([missing]) * missing)
        case "AES-CTR":
            return _count(asked)
        case "AES-KW":
            key, data = asked.take(2)
            _check_wrapped(data)
            with otherwise(CryptoFailed, "AES-KW wraps keys of 16 bytes and more, in steps of 8."):
                return keywrap.aes_key_wrap(_aes_key(key), bytes(data))
        case "RSA-OAEP":
            der, label, data = asked.take(3)
            public = load_public(Wanted.of(asked), der)
            with otherwise(CryptoFailed, "RSA-OAEP encrypts less than the size of its key: a key of AES, for example."):
                assert isinstance(public, rsa.RSAPublicKey)
                return public.encrypt(bytes(data), _oaep(asked, label))
    raise CryptoNotSupported(f"{asked.name} does not encrypt.")


def decrypt(asked: Asked) -> bytes:
    """Return what `encrypt` was given. Raises: FaztError."""
    match asked.name:
        case "AES-GCM":
            return _decrypt_gcm(asked)
        case "AES-CBC":
            key, iv, data = asked.take(3)
            cipher = Cipher(_aes(key), CBC(_block(iv, "iv"))).decryptor()
            with otherwise(CryptoFailed, _UNREADABLE):
                padded, unpadder = _run(cipher, data), PKCS7(8 * BLOCK_BYTES).unpadder()
                end = unpadder.update(padded[-BLOCK_BYTES:]) + unpadder.finalize()
                return padded[:-BLOCK_BYTES] + end
        case "AES-CTR":
            return _count(asked)
        case "AES-KW":
            key, data = asked.take(2)
            _check_wrapped(data)
            with otherwise(CryptoFailed, _UNREADABLE):
                return keywrap.aes_key_unwrap(_aes_key(key), bytes(data))
        case "RSA-OAEP":
            der, label, data = asked.take(3)
            private = load_private(Wanted.of(asked), der)
            with otherwise(CryptoFailed, _UNREADABLE):
                assert isinstance(private, rsa.RSAPrivateKey)
                return private.decrypt(bytes(data), _oaep(asked, label))
    raise CryptoNotSupported(f"{asked.name} does not decrypt.")


def _aes_key(key: memoryview) -> bytes:
    if len(key) not in (16, 24, 32):
        raise CryptoDataInvalid("A key of AES has 16, 24 or 32 bytes.")
    return bytes(key)


def _aes(key: memoryview) -> AES:
    return AES(_aes_key(key))


def _block(data: memoryview, what: str) -> bytes:
    if len(data) != BLOCK_BYTES:
        raise CryptoFailed(f"{what} must have {BLOCK_BYTES} bytes, not {len(data)}.")
    return bytes(data)


def _run(context: CipherContext, data: memoryview, end: bytes = b"") -> bytes:
    pieces = [context.update(data[at : at + PIECE_BYTES]) for at in range(0, len(data), PIECE_BYTES)]
    pieces += (context.update(end), context.finalize())
    return b"".join(pieces)


# --- GCM -------------------------------------------------------------------------------------------------------------


def _gcm_parameters(asked: Asked) -> tuple[AES, bytes, int, memoryview, memoryview]:
    key, iv, additional, data = asked.take(4)
    tag_bits = asked.algorithm.get("tagLength", 128)
    if not isinstance(tag_bits, int) or tag_bits not in TAG_BITS:
        raise CryptoFailed(f"tagLength must be one of {', '.join(map(str, TAG_BITS))}.")
    low, high = GCM_IV_BYTES
    if not low <= len(iv) <= high:
        raise CryptoFailed(f"iv must have {low} to {high} bytes (12 is best), not {len(iv)}.")
    return _aes(key), bytes(iv), tag_bits // 8, additional, data


def _authenticate(context: AEADEncryptionContext | AEADDecryptionContext, additional: memoryview) -> None:
    for at in range(0, len(additional), PIECE_BYTES):
        context.authenticate_additional_data(additional[at : at + PIECE_BYTES])


def _encrypt_gcm(asked: Asked) -> bytes:
    key, iv, tag_bytes, additional, data = _gcm_parameters(asked)
    context = Cipher(key, GCM(iv)).encryptor()
    _authenticate(context, additional)
    return _run(context, data) + context.tag[:tag_bytes]


def _decrypt_gcm(asked: Asked) -> bytes:
    key, iv, tag_bytes, additional, data = _gcm_parameters(asked)
    if len(data) < tag_bytes:
        raise CryptoFailed(_UNREADABLE)
    end = len(data) - tag_bytes
    with otherwise(CryptoFailed, _UNREADABLE):
        context = Cipher(key, GCM(iv, bytes(data[end:]), min_tag_length=tag_bytes)).decryptor()
        _authenticate(context, additional)
        return _run(context, data[:end])


# --- CTR -------------------------------------------------------------------------------------------------------------


def _count(asked: Asked) -> bytes:
    """Encrypt or decrypt with a counter of the last `length` bits of a block; the library's counter has all 128.

    Raises: CryptoFailed where the counter would come round to a value that it had.
    """
    key, counter, data = asked.take(3)
    length = asked.algorithm.get("length")
    if not isinstance(length, int) or isinstance(length, bool) or not 1 <= length <= 8 * BLOCK_BYTES:
        raise CryptoFailed("length, the bits of the counter, must be 1 to 128.")
    start, size = int.from_bytes(_block(counter, "counter"), "big"), 1 << length
    if -(-len(data) // BLOCK_BYTES) > size:
        raise CryptoFailed("The counter is too short for so much data.")
    before_wrap = min(len(data), (size - start % size) * BLOCK_BYTES)
    first = _run(Cipher(_aes(key), CTR(bytes(counter))).encryptor(), data[:before_wrap])
    if before_wrap == len(data):
        return first
    again = (start - start % size).to_bytes(BLOCK_BYTES, "big")
    return first + _run(Cipher(_aes(key), CTR(again)).encryptor(), data[before_wrap:])


# --- keys ------------------------------------------------------------------------------------------------------------


def _check_wrapped(data: memoryview) -> None:
    if len(data) > MAX_WRAPPED_BYTES:
        raise CryptoFailed(f"AES-KW wraps at most {MAX_WRAPPED_BYTES} bytes.")


def _oaep(asked: Asked, label: memoryview) -> padding.OAEP:
    if asked.name != "RSA-OAEP":
        raise InvalidInput("This needs RSA-OAEP.")
    if len(label) > MAX_LABEL_BYTES:
        raise CryptoFailed(f"label has at most {MAX_LABEL_BYTES} bytes.")
    algorithm = asked.hash.algorithm
    return padding.OAEP(padding.MGF1(algorithm), algorithm, bytes(label) or None)
