// Keys of WebCrypto: made, imported and exported.
//
// Owns what each kind of key may be used for, its JWK's words (`alg`, `use`, `key_ops`, `ext`), and secret keys, which are
// plain bytes. The numbers of asymmetric keys are the host's. Rule: a key that is not extractable is never exported.

import { copyBytes, NativeUint8Array, uncurry } from "./primordials.js";
import { DOMException } from "./dom_exception.js";
import { asJson } from "./crypto_algorithms.js";
import { makeKey } from "./crypto_key.js";
import { isObject, toDomString, toSequence } from "./webidl.js";

const { fromBase64 } = Uint8Array;
const toBase64 = uncurry(Uint8Array.prototype.toBase64);
const BASE64URL = { __proto__: null, alphabet: "base64url", omitPadding: true };
const IS_BASE64URL = /^[\w-]*$/;

const USAGES = ["encrypt", "decrypt", "sign", "verify", "deriveKey", "deriveBits", "wrapKey", "unwrapKey"];
const CURVES = ["P-256", "P-384", "P-521"];
const BLOCK_BITS = { "SHA-1": 512, "SHA-256": 512, "SHA-384": 1024, "SHA-512": 1024 };
const RSA_ALG = { "RSASSA-PKCS1-v1_5": "RS", "RSA-PSS": "PS", "RSA-OAEP": "RSA-OAEP" };
const EC_ALG = { "P-256": "ES256", "P-384": "ES384", "P-521": "ES512" };

const SIGNING = { use: "sig", public: ["verify"], private: ["sign"] };
const SHARING = { use: "enc", public: [], private: ["deriveKey", "deriveBits"] };
const DERIVING = { secret: ["deriveKey", "deriveBits"], isDeriving: true };
const CIPHER = { use: "enc", secret: ["encrypt", "decrypt", "wrapKey", "unwrapKey"], isAes: true };

const KINDS = {
  __proto__: null,
  "RSASSA-PKCS1-v1_5": { ...SIGNING, isRsa: true },
  "RSA-PSS": { ...SIGNING, isRsa: true },
  "RSA-OAEP": { use: "enc", public: ["encrypt", "wrapKey"], private: ["decrypt", "unwrapKey"], isRsa: true },
  ECDSA: { ...SIGNING, isEc: true },
  ECDH: { ...SHARING, isEc: true },
  Ed25519: SIGNING,
  X25519: SHARING,
  HMAC: { use: "sig", secret: ["sign", "verify"] },
  "AES-CTR": CIPHER,
  "AES-CBC": CIPHER,
  "AES-GCM": CIPHER,
  "AES-KW": { use: "enc", secret: ["wrapKey", "unwrapKey"], isAes: true },
  HKDF: DERIVING,
  PBKDF2: DERIVING,
};

const JWK_MEMBERS = ["alg", "crv", "d", "dp", "dq", "e", "ext", "k", "key_ops", "kty", "n", "oth", "p", "q", "qi"];
JWK_MEMBERS.push("use", "x", "y");

const dataError = (message) => new DOMException(message, "DataError");
const syntaxError = (message) => new DOMException(message, "SyntaxError");
const operationError = (message) => new DOMException(message, "OperationError");
const invalidAccess = (message) => new DOMException(message, "InvalidAccessError");
const notSupported = (message) => new DOMException(message, "NotSupportedError");

// --- what a key may be used for ---

// Return the usages of a list, each once and in the standard's order. Throws TypeError.
export function readUsages(value) {
  const given = toSequence(value, toDomString, "usages");
  for (const usage of given) {
    if (!USAGES.includes(usage)) throw new TypeError(`usages: "${usage}" is not one of ${USAGES.join(", ")}`);
  }
  return USAGES.filter((usage) => given.includes(usage));
}

function checkUsages(usages, allowed, name) {
  for (const usage of usages) {
    if (!allowed.includes(usage)) throw syntaxError(`A key of ${name} of this type cannot be used to ${usage}`);
  }
}

function checkCurve(kind, algorithm) {
  if (kind.isEc && !CURVES.includes(algorithm.namedCurve)) {
    throw notSupported(`namedCurve: must be one of ${CURVES.join(", ")}`);
  }
}

function checkNotUseless(usages) {
  if (usages.length === 0) throw syntaxError("A secret or private key needs at least one usage");
}

// --- making ---

export async function generate(ask, random, algorithm, extractable, usages) {
  const kind = KINDS[algorithm.name];
  if (kind.secret !== undefined) {
    checkUsages(usages, kind.secret, algorithm.name);
    const bits = lengthOf(algorithm);
    if (bits === 0) throw operationError("length: a key has at least one bit");
    checkNotUseless(usages);
    const material = truncate(random(Math.ceil(bits / 8)), bits);
    return makeSecret(algorithm, bits, extractable, usages, material);
  }
  checkUsages(usages, [...kind.private, ...kind.public], algorithm.name);
  checkCurve(kind, algorithm);
  const privateUsages = usages.filter((usage) => kind.private.includes(usage));
  checkNotUseless(privateUsages);
  const { value, bytes } = await ask("generate", { algorithm: asJson(algorithm) }, []);
  const half = (type, extractable, usages, from, to) =>
    makeKey({ type, extractable, algorithm, usages, material: bytes.slice(from, to) });
  const [end] = value.lengths;
  return {
    privateKey: half("private", extractable, privateUsages, 0, end),
    publicKey: half("public", true, usages.filter((usage) => kind.public.includes(usage)), end),
  };
}

// Return the number of bits of a key that is to be made or derived; null: of no length of its own.
export function lengthOf(algorithm) {
  const kind = KINDS[algorithm.name];
  if (kind.isDeriving) return null;
  if (kind.isAes) {
    if (![128, 192, 256].includes(algorithm.length)) throw operationError("length: must be 128, 192 or 256");
    return algorithm.length;
  }
  const bits = algorithm.length ?? BLOCK_BITS[algorithm.hash.name];
  if (bits > 8 * 65536) throw operationError("length: a key of HMAC has at most 524288 bits");
  return bits;
}

function makeSecret(algorithm, bits, extractable, usages, material) {
  const facts = { name: algorithm.name };
  if (algorithm.hash !== undefined) facts.hash = { name: algorithm.hash.name };
  if (bits !== null) facts.length = bits;
  return makeKey({ type: "secret", extractable, algorithm: facts, usages, material });
}

// Clear what a key of so many bits does not have of its last byte.
function truncate(material, bits) {
  if (bits % 8 > 0) material[material.length - 1] &= 0xff << (8 - (bits % 8));
  return material;
}

// --- importing ---

// Return what a script gives as a JWK, read once (WebIDL: dictionary JsonWebKey). Throws TypeError.
export function readJwk(value) {
  if (!isObject(value)) throw new TypeError("keyData: not a JSON Web Key");
  const jwk = { __proto__: null };
  for (const name of JWK_MEMBERS) {
    const member = value[name];
    if (member === undefined) continue;
    if (name === "ext") jwk.ext = !!member;
    else if (name === "key_ops") jwk.key_ops = toSequence(member, toDomString, "key_ops");
    else jwk[name] = name === "oth" ? true : toDomString(member);
  }
  return jwk;
}

// `data` is what readJwk returned for the format jwk, else bytes that are nobody else's.
export async function importKey(ask, format, data, algorithm, extractable, usages) {
  const kind = KINDS[algorithm.name];
  const importOne = kind.secret === undefined ? importHalf : importSecret;
  return importOne(ask, kind, format, data, algorithm, extractable, usages);
}

async function importSecret(ask, kind, format, data, algorithm, extractable, usages) {
  if (format !== "raw" && (format !== "jwk" || kind.isDeriving)) {
    throw notSupported(`A key of ${algorithm.name} cannot be imported as ${format}`);
  }
  checkUsages(usages, kind.secret, algorithm.name);
  if (kind.isDeriving && extractable) throw syntaxError(`A key of ${algorithm.name} cannot be extractable`);
  const material = format === "jwk" ? secretOfJwk(data) : data;
  const bits = kind.isDeriving ? null : bitsOf(kind, algorithm, material);
  if (format === "jwk") checkJwk(data, kind, algorithm, bits, extractable, usages);
  checkNotUseless(usages);
  return makeSecret(algorithm, bits, extractable, usages, bits === null ? material : truncate(material, bits));
}

function bitsOf(kind, algorithm, material) {
  const bits = 8 * material.length;
  if (kind.isAes) {
    if (![128, 192, 256].includes(bits)) throw dataError(`A key of AES has 16, 24 or 32 bytes, not ${material.length}`);
    return bits;
  }
  if (bits === 0) throw dataError("A key of HMAC has at least one byte");
  const length = algorithm.length ?? bits;
  if (length > bits || length <= bits - 8) throw dataError(`length: ${length} bits are not ${material.length} bytes`);
  return length;
}

function secretOfJwk(jwk) {
  if (jwk.kty !== "oct") throw dataError('kty of this JWK must be "oct"');
  if (jwk.k === undefined || !IS_BASE64URL.test(jwk.k)) throw dataError("k of this JWK must be base64url");
  try {
    return fromBase64.call(NativeUint8Array, jwk.k, BASE64URL);
  } catch {
    throw dataError("k of this JWK must be base64url");
  }
}

async function importHalf(ask, kind, format, data, algorithm, extractable, usages) {
  if (format === "raw" && kind.isRsa) throw notSupported("A key of RSA cannot be imported as raw");
  const isPrivate = format === "pkcs8" || (format === "jwk" && data.d !== undefined);
  checkUsages(usages, isPrivate ? kind.private : kind.public, algorithm.name);
  checkCurve(kind, algorithm);
  if (format === "jwk") {
    checkJwk(data, kind, algorithm, null, extractable, usages);
    if (data.oth !== undefined) throw notSupported("RSA keys of more than two primes cannot be imported");
  }
  const asked = { algorithm: asJson(algorithm), format, jwk: format === "jwk" ? data : undefined };
  const { value, bytes } = await ask("import", asked, format === "jwk" ? [] : [data]);
  if (isPrivate) checkNotUseless(usages);
  const facts = { name: algorithm.name };
  if (kind.isRsa) {
    facts.modulusLength = value.modulusLength;
    facts.publicExponent = new NativeUint8Array(value.publicExponent);
    facts.hash = { name: algorithm.hash.name };
  }
  if (kind.isEc) facts.namedCurve = algorithm.namedCurve;
  return makeKey({ type: value.type, extractable, algorithm: facts, usages, material: bytes });
}

function checkJwk(jwk, kind, algorithm, bits, extractable, usages) {
  if (jwk.alg !== undefined) {
    const expected = algOf(algorithm, bits);
    const isOldName = algorithm.name === "Ed25519" && jwk.alg === "EdDSA";
    if (expected !== undefined && jwk.alg !== expected && !isOldName) {
      throw dataError(`alg of this JWK must be "${expected}", not "${jwk.alg}"`);
    }
  }
  if (usages.length > 0 && jwk.use !== undefined && jwk.use !== kind.use) {
    throw dataError(`use of this JWK must be "${kind.use}"`);
  }
  const operations = jwk.key_ops;
  if (operations !== undefined) {
    if (new Set(operations).size !== operations.length) throw dataError("key_ops of this JWK names an operation twice");
    if (!usages.every((usage) => operations.includes(usage))) {
      throw dataError("key_ops of this JWK does not allow these usages");
    }
  }
  if (jwk.ext === false && extractable) throw dataError("ext of this JWK says that the key is not extractable");
}

// Return what RFC 7518 calls an algorithm with its parameters, where it has a name.
function algOf(algorithm, bits) {
  const kind = KINDS[algorithm.name];
  const hashBits = algorithm.hash?.name.slice(4);
  if (algorithm.name === "HMAC") return `HS${hashBits}`;
  if (algorithm.name === "RSA-OAEP") return hashBits === "1" ? "RSA-OAEP" : `RSA-OAEP-${hashBits}`;
  if (kind.isRsa) return RSA_ALG[algorithm.name] + hashBits;
  if (kind.isAes) return `A${bits}${algorithm.name.slice(4)}`;
  if (algorithm.name === "ECDSA") return EC_ALG[algorithm.namedCurve];
  return algorithm.name === "Ed25519" ? "Ed25519" : undefined;
}

// --- exporting ---

// Return the bytes of a key, or its JWK. Throws InvalidAccessError, NotSupportedError.
export async function exportKey(ask, format, slots) {
  const { algorithm, type } = slots;
  const kind = KINDS[algorithm.name];
  if (kind.isDeriving) throw notSupported(`A key of ${algorithm.name} cannot be exported`);
  if (!slots.extractable) throw invalidAccess("This key is not extractable");
  if (format === "jwk") return exportJwk(ask, kind, slots);
  if (kind.secret !== undefined) {
    if (format !== "raw") throw notSupported(`A secret key cannot be exported as ${format}`);
    return copyBytes(slots.material);
  }
  if (format === "raw" && kind.isRsa) throw notSupported("A key of RSA cannot be exported as raw");
  if (type !== (format === "pkcs8" ? "private" : "public")) {
    throw invalidAccess(`A ${type} key cannot be exported as ${format}`);
  }
  if (format !== "raw") return copyBytes(slots.material);
  return (await ask("export", { algorithm: asJson(algorithm), format, type }, [slots.material])).bytes;
}

async function exportJwk(ask, kind, slots) {
  const { algorithm, type, usages, extractable } = slots;
  let jwk;
  if (kind.secret !== undefined) {
    jwk = { kty: "oct", k: toBase64(slots.material, BASE64URL) };
  } else {
    const asked = { algorithm: asJson(algorithm), format: "jwk", type };
    ({ jwk } = (await ask("export", asked, [slots.material])).value);
  }
  const alg = algorithm.name === "ECDSA" ? undefined : algOf(algorithm, algorithm.length);
  if (alg !== undefined) jwk.alg = alg;
  return { ...jwk, key_ops: [...usages], ext: extractable };
}
