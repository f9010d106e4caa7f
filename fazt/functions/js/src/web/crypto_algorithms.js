// The algorithms of WebCrypto and their parameters: which operation takes which ("normalising an algorithm").
//
// Owns the table and the reading of what a script gives. Rule: everything is read once and copied, before anything else
// happens; what a script changes afterwards changes nothing.

import { bytesOf, copyBytes, isSharedArrayBuffer, isUint8Array, toLowerCase } from "./primordials.js";
import { DOMException } from "./dom_exception.js";
import { isKey } from "./crypto_key.js";
import { isObject, toDomString, toEnforcedRange } from "./webidl.js";

const HASHES = ["SHA-1", "SHA-256", "SHA-384", "SHA-512"];
const RSA_SIGNATURES = ["RSASSA-PKCS1-v1_5", "RSA-PSS"];
const RSA = [...RSA_SIGNATURES, "RSA-OAEP"];
const EC = ["ECDSA", "ECDH"];
const OKP = ["Ed25519", "X25519"];
const AES = ["AES-CTR", "AES-CBC", "AES-GCM", "AES-KW"];
const KDF = ["HKDF", "PBKDF2"];

// --- reading one value ---

export function readBytes(value, what) {
  const bytes = bytesOf(value);
  if (bytes === undefined) throw new TypeError(`${what}: not an ArrayBuffer and not a view of one`);
  if (isSharedArrayBuffer(bytes.buffer)) throw new TypeError(`${what}: memory that is shared cannot be used`);
  return copyBytes(bytes);
}

const unsigned = (bits) => (value, what) => {
  const number = toEnforcedRange(value, what);
  if (number >= 2 ** bits) throw new TypeError(`${what}: ${number} does not fit in ${bits} bits`);
  return number;
};

function readBigInteger(value, what) {
  if (!isUint8Array(value)) throw new TypeError(`${what}: not a Uint8Array`);
  return readBytes(value, what);
}

function readKey(value, what) {
  if (!isKey(value)) throw new TypeError(`${what}: not a CryptoKey`);
  return value;
}

const readHash = (value) => normalize("digest", value);

const required = (convert) => (value, what) => {
  if (value === undefined) throw new TypeError(`${what}: is required`);
  return convert(value, what);
};

const optional = (convert) => (value, what) => (value === undefined ? undefined : convert(value, what));

// --- the table: operation -> [names, their parameters] ---

const hash = required(readHash);
const namedCurve = required(toDomString);
const bytes = required(readBytes);
const modulusLength = required(unsigned(32));
const publicExponent = required(readBigInteger);

const AES_ENCRYPTION = [
  [["RSA-OAEP"], { label: optional(readBytes) }],
  [["AES-CTR"], { counter: bytes, length: required(unsigned(8)) }],
  [["AES-CBC"], { iv: bytes }],
  [["AES-GCM"], { iv: bytes, additionalData: optional(readBytes), tagLength: optional(unsigned(8)) }],
];

const SIGNATURES = [
  [["RSASSA-PKCS1-v1_5", "Ed25519", "HMAC"], {}],
  [["RSA-PSS"], { saltLength: required(unsigned(32)) }],
  [["ECDSA"], { hash }],
];

const ROWS = {
  digest: [[HASHES, {}]],
  generateKey: [
    [RSA, { modulusLength, publicExponent, hash }],
    [EC, { namedCurve }],
    [OKP, {}],
    [AES, { length: required(unsigned(16)) }],
    [["HMAC"], { hash, length: optional(unsigned(32)) }],
  ],
  importKey: [
    [RSA, { hash }],
    [EC, { namedCurve }],
    [[...OKP, ...AES, ...KDF], {}],
    [["HMAC"], { hash, length: optional(unsigned(32)) }],
  ],
  keyLength: [
    [AES, { length: required(unsigned(16)) }],
    [["HMAC"], { hash, length: optional(unsigned(32)) }],
    [KDF, {}],
  ],
  sign: SIGNATURES,
  verify: SIGNATURES,
  encrypt: AES_ENCRYPTION,
  decrypt: AES_ENCRYPTION,
  deriveBits: [
    [["ECDH", "X25519"], { public: required(readKey) }],
    [["HKDF"], { hash, salt: bytes, info: bytes }],
    [["PBKDF2"], { hash, salt: bytes, iterations: required(unsigned(32)) }],
  ],
  wrapKey: [[["AES-KW"], {}]],
  unwrapKey: [[["AES-KW"], {}]],
};

// operation -> {name in lower case: {name, parameters}}; null prototypes, so that "constructor" is no algorithm
const TABLE = { __proto__: null };
for (const operation in ROWS) {
  TABLE[operation] = { __proto__: null };
  for (const [names, parameters] of ROWS[operation]) {
    for (const name of names) {
      TABLE[operation][toLowerCase(name)] = { name, parameters: { __proto__: null, ...parameters } };
    }
  }
}

export const takesPart = (operation, given) => TABLE[operation][toLowerCase(nameOf(given))] !== undefined;

function nameOf(given) {
  if (!isObject(given)) return toDomString(given);
  const name = given.name;
  if (name === undefined) throw new TypeError("algorithm: name is required");
  return toDomString(name);
}

// Return {name, ...parameters} of what a script calls an algorithm. Throws NotSupportedError, TypeError.
export function normalize(operation, given) {
  const asked = nameOf(given);
  const found = TABLE[operation][toLowerCase(asked)];
  if (found === undefined) {
    const what = operation === "digest" ? "is no hash function" : `does not take part in ${operation}`;
    throw new DOMException(`The algorithm ${asked} ${what} here`, "NotSupportedError");
  }
  const algorithm = { __proto__: null, name: found.name };
  for (const key in found.parameters) {
    const value = isObject(given) ? given[key] : undefined;
    const converted = found.parameters[key](value, `${found.name}: ${key}`);
    if (converted !== undefined) algorithm[key] = converted;
  }
  return algorithm;
}

// The parameters that the host wants to know as JSON; undefined ones fall away.
export function asJson(algorithm) {
  const { name, namedCurve, modulusLength, saltLength, tagLength, iterations, length } = algorithm;
  const exponent = algorithm.publicExponent;
  return {
    name,
    namedCurve,
    modulusLength,
    saltLength,
    tagLength,
    iterations,
    length,
    hash: algorithm.hash?.name,
    publicExponent: exponent === undefined ? undefined : [...exponent],
  };
}
