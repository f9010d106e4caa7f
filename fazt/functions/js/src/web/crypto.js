// The Web Cryptography API: crypto.getRandomValues, crypto.randomUUID, crypto.subtle.
//
// Owns the interfaces, the order of their checks, and random numbers; keys, algorithms and the way to the host, where the
// work is done, have modules of their own. Rule: what an argument refers to is copied before anything is awaited.

import { isView, NativeUint8Array, setBytes, typedArrayName } from "./primordials.js";
import { bytesOf, defineProperty, isSharedArrayBuffer, jsonParse, jsonStringify } from "./primordials.js";
import { DOMException } from "./dom_exception.js";
import { asJson, normalize, readBytes, takesPart } from "./crypto_algorithms.js";
import { openHost, toBuffer } from "./crypto_host.js";
import { CryptoKey, isKey, slotsOf } from "./crypto_key.js";
import { exportKey, generate, importKey, lengthOf, readJwk, readUsages } from "./crypto_keys.js";
import { defineInterface, requireArguments, toDomString } from "./webidl.js";

const MOST_RANDOM_BYTES = 65536;
const INTEGER_ARRAYS = {
  __proto__: null,
  Int8Array: true, Uint8Array: true, Uint8ClampedArray: true, Int16Array: true, Uint16Array: true,
  Int32Array: true, Uint32Array: true, BigInt64Array: true, BigUint64Array: true,
};
const FORMATS = ["raw", "spki", "pkcs8", "jwk"];
const NOTHING = new NativeUint8Array(0);
const SECRET = {}; // whoever has it may call the constructors

// --- arguments ---

function readFormat(value) {
  const format = toDomString(value);
  if (!FORMATS.includes(format)) throw new TypeError(`format: "${format}" is not one of ${FORMATS.join(", ")}`);
  return format;
}

function readKeyData(format, value) {
  if (format !== "jwk") return readBytes(value, "keyData");
  if (bytesOf(value) !== undefined) throw new TypeError("keyData: a JWK is an object, not bytes");
  return readJwk(value);
}

function slotsOfArgument(value, what) {
  if (!isKey(value)) throw new TypeError(`${what}: not a CryptoKey`);
  return slotsOf(value);
}

function checkKey(slots, algorithm, usage) {
  if (slots.algorithm.name !== algorithm.name) {
    throw new DOMException(`This key is one of ${slots.algorithm.name}, not ${algorithm.name}`, "InvalidAccessError");
  }
  if (!slots.usages.includes(usage)) {
    throw new DOMException(`This key may not be used to ${usage}`, "InvalidAccessError");
  }
}

// --- what several operations do ---

// Encrypt or decrypt; AES-KW is one of the ciphers for the host.
async function run(ask, operation, algorithm, slots, data) {
  const parts = [slots.material];
  if (algorithm.name === "AES-GCM") parts.push(algorithm.iv, algorithm.additionalData ?? NOTHING);
  else if (algorithm.name === "AES-CBC") parts.push(algorithm.iv);
  else if (algorithm.name === "AES-CTR") parts.push(algorithm.counter);
  else if (algorithm.name === "RSA-OAEP") parts.push(algorithm.label ?? NOTHING);
  parts.push(data);
  const hash = slots.algorithm.hash;
  return (await ask(operation, { algorithm: asJson({ ...algorithm, hash }) }, parts)).bytes;
}

async function derive(ask, algorithm, slots, length) {
  const value = { algorithm: asJson(algorithm), length };
  if (algorithm.name === "PBKDF2") return (await ask("derive", value, [slots.material, algorithm.salt])).bytes;
  if (algorithm.name === "HKDF") {
    return (await ask("derive", value, [slots.material, algorithm.salt, algorithm.info])).bytes;
  }
  const other = slotsOf(algorithm.public);
  const { name, namedCurve } = slots.algorithm;
  if (slots.type !== "private" || other.type !== "public") {
    throw new DOMException(`${name} takes a private key, and a public one as "public"`, "InvalidAccessError");
  }
  if (other.algorithm.name !== name || other.algorithm.namedCurve !== namedCurve) {
    throw new DOMException("public: a key of another algorithm or curve", "InvalidAccessError");
  }
  value.algorithm = asJson(slots.algorithm);
  return (await ask("derive", value, [slots.material, other.material])).bytes;
}

function parseJwk(bytes) {
  let text = "";
  for (const byte of bytes) text += `%${byte < 16 ? "0" : ""}${byte.toString(16)}`;
  let value;
  try {
    value = jsonParse(decodeURIComponent(text)); // JSON in UTF-8, or nothing
  } catch {
    value = null;
  }
  if (typeof value !== "object" || value === null || typeof value.kty !== "string") {
    throw new DOMException("What was unwrapped is not a JSON Web Key", "DataError");
  }
  return readJwk(value);
}

// JSON.stringify of a JWK, whose characters are all ASCII, as bytes.
function writeJwk(jwk) {
  const text = jsonStringify(jwk);
  const bytes = new NativeUint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// --- the interfaces ---

export class SubtleCrypto {
  #ask;
  #random;

  constructor(secret, ask, random) {
    if (secret !== SECRET) throw new TypeError("new SubtleCrypto: use crypto.subtle");
    this.#ask = ask;
    this.#random = random;
  }

  async digest(algorithm, data) {
    const ask = this.#ask;
    requireArguments(arguments.length, 2, "digest");
    const copy = readBytes(data, "data");
    return toBuffer((await ask("digest", { algorithm: asJson(normalize("digest", algorithm)) }, [copy])).bytes);
  }

  async sign(algorithm, key, data) {
    const ask = this.#ask;
    requireArguments(arguments.length, 3, "sign");
    const slots = slotsOfArgument(key, "key");
    const copy = readBytes(data, "data");
    const normal = normalize("sign", algorithm);
    checkKey(slots, normal, "sign");
    const value = { algorithm: asJson({ ...slots.algorithm, ...normal }) };
    return toBuffer((await ask("sign", value, [slots.material, copy])).bytes);
  }

  async verify(algorithm, key, signature, data) {
    const ask = this.#ask;
    requireArguments(arguments.length, 4, "verify");
    const slots = slotsOfArgument(key, "key");
    const copies = [readBytes(signature, "signature"), readBytes(data, "data")];
    const normal = normalize("verify", algorithm);
    checkKey(slots, normal, "verify");
    const value = { algorithm: asJson({ ...slots.algorithm, ...normal }) };
    return (await ask("verify", value, [slots.material, ...copies])).value;
  }

  async encrypt(algorithm, key, data) {
    const ask = this.#ask;
    requireArguments(arguments.length, 3, "encrypt");
    const slots = slotsOfArgument(key, "key");
    const copy = readBytes(data, "data");
    const normal = normalize("encrypt", algorithm);
    checkKey(slots, normal, "encrypt");
    return toBuffer(await run(ask, "encrypt", normal, slots, copy));
  }

  async decrypt(algorithm, key, data) {
    const ask = this.#ask;
    requireArguments(arguments.length, 3, "decrypt");
    const slots = slotsOfArgument(key, "key");
    const copy = readBytes(data, "data");
    const normal = normalize("decrypt", algorithm);
    checkKey(slots, normal, "decrypt");
    return toBuffer(await run(ask, "decrypt", normal, slots, copy));
  }

  async generateKey(algorithm, extractable, keyUsages) {
    const ask = this.#ask;
    requireArguments(arguments.length, 3, "generateKey");
    const usages = readUsages(keyUsages);
    return generate(ask, this.#random, normalize("generateKey", algorithm), !!extractable, usages);
  }

  async importKey(format, keyData, algorithm, extractable, keyUsages) {
    const ask = this.#ask;
    requireArguments(arguments.length, 5, "importKey");
    const kind = readFormat(format);
    const data = readKeyData(kind, keyData);
    const usages = readUsages(keyUsages);
    return importKey(ask, kind, data, normalize("importKey", algorithm), !!extractable, usages);
  }

  async exportKey(format, key) {
    const ask = this.#ask;
    requireArguments(arguments.length, 2, "exportKey");
    const kind = readFormat(format);
    const result = await exportKey(ask, kind, slotsOfArgument(key, "key"));
    return kind === "jwk" ? result : toBuffer(result);
  }

  async deriveBits(algorithm, baseKey, length = null) {
    const ask = this.#ask;
    requireArguments(arguments.length, 2, "deriveBits");
    const slots = slotsOfArgument(baseKey, "baseKey");
    const bits = length === null ? null : length >>> 0;
    const normal = normalize("deriveBits", algorithm);
    checkKey(slots, normal, "deriveBits");
    return toBuffer(await derive(ask, normal, slots, bits));
  }

  async deriveKey(algorithm, baseKey, derivedKeyType, extractable, keyUsages) {
    const ask = this.#ask;
    requireArguments(arguments.length, 5, "deriveKey");
    const slots = slotsOfArgument(baseKey, "baseKey");
    const usages = readUsages(keyUsages);
    const normal = normalize("deriveBits", algorithm);
    const wanted = normalize("importKey", derivedKeyType);
    const bits = lengthOf(normalize("keyLength", derivedKeyType));
    if (bits === 0) throw new TypeError("length: a key has at least one bit");
    checkKey(slots, normal, "deriveKey");
    const secret = await derive(ask, normal, slots, bits);
    return importKey(ask, "raw", secret, wanted, !!extractable, usages);
  }

  async wrapKey(format, key, wrappingKey, wrapAlgorithm) {
    const ask = this.#ask;
    requireArguments(arguments.length, 4, "wrapKey");
    const kind = readFormat(format);
    const slots = slotsOfArgument(key, "key");
    const wrapping = slotsOfArgument(wrappingKey, "wrappingKey");
    const normal = normalize(takesPart("wrapKey", wrapAlgorithm) ? "wrapKey" : "encrypt", wrapAlgorithm);
    checkKey(wrapping, normal, "wrapKey");
    const result = await exportKey(ask, kind, slots);
    return toBuffer(await run(ask, "encrypt", normal, wrapping, kind === "jwk" ? writeJwk(result) : result));
  }

  async unwrapKey(format, wrappedKey, unwrappingKey, unwrapAlgorithm, unwrappedKeyAlgorithm, extractable, keyUsages) {
    const ask = this.#ask;
    requireArguments(arguments.length, 7, "unwrapKey");
    const kind = readFormat(format);
    const wrapped = readBytes(wrappedKey, "wrappedKey");
    const unwrapping = slotsOfArgument(unwrappingKey, "unwrappingKey");
    const usages = readUsages(keyUsages);
    const normal = normalize(takesPart("unwrapKey", unwrapAlgorithm) ? "unwrapKey" : "decrypt", unwrapAlgorithm);
    const wanted = normalize("importKey", unwrappedKeyAlgorithm);
    checkKey(unwrapping, normal, "unwrapKey");
    const bytes = await run(ask, "decrypt", normal, unwrapping, wrapped);
    return importKey(ask, kind, kind === "jwk" ? parseJwk(bytes) : bytes, wanted, !!extractable, usages);
  }
}
defineInterface(SubtleCrypto, "SubtleCrypto");

export class Crypto {
  #random;
  #subtle;

  constructor(secret, subtle, random) {
    if (secret !== SECRET) throw new TypeError("new Crypto: use crypto");
    this.#random = random;
    this.#subtle = subtle;
  }

  get subtle() {
    return this.#subtle;
  }

  getRandomValues(array) {
    const random = this.#random;
    requireArguments(arguments.length, 1, "getRandomValues");
    if (!isView(array)) throw new TypeError("getRandomValues: not a typed array");
    if (INTEGER_ARRAYS[typedArrayName(array)] === undefined) {
      throw new DOMException("getRandomValues: takes arrays of whole numbers", "TypeMismatchError");
    }
    const bytes = bytesOf(array);
    if (isSharedArrayBuffer(bytes.buffer)) throw new TypeError("getRandomValues: memory that is shared cannot be used");
    if (bytes.length > MOST_RANDOM_BYTES) {
      throw new DOMException(`getRandomValues: at most ${MOST_RANDOM_BYTES} bytes at once`, "QuotaExceededError");
    }
    if (bytes.length > 0) setBytes(bytes, random(bytes.length));
    return array;
  }

  // RFC 9562, version 4
  randomUUID() {
    const bytes = this.#random(16);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = "";
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) text += "-";
      text += HEX[bytes[i]];
    }
    return text;
  }
}
defineInterface(Crypto, "Crypto");

const HEX = [];
for (let i = 0; i < 256; i++) HEX[i] = (i < 16 ? "0" : "") + i.toString(16);

export function installCrypto(host) {
  const random = (count) => host.random(count);
  const subtle = new SubtleCrypto(SECRET, openHost(host), random);
  const crypto = new Crypto(SECRET, subtle, random);
  defineProperty(globalThis, "crypto", { value: crypto, writable: true, enumerable: true, configurable: true });
  for (const [name, value] of [["Crypto", Crypto], ["SubtleCrypto", SubtleCrypto], ["CryptoKey", CryptoKey]]) {
    defineProperty(globalThis, name, { value, writable: true, configurable: true });
  }
}
