// CryptoKey: what a script holds of a key.
//
// Owns the key's material, which no script can reach but through an operation of crypto.subtle.
// Rule: what a script does to `algorithm` and `usages` of a key changes its own view of them, never the key.

import { arraySlice, copyBytes } from "./primordials.js";
import { defineInterface, isObject } from "./webidl.js";

const SECRET = {}; // whoever has it may call the constructor

export let isKey;
export let slotsOf; // {type, extractable, algorithm, usages, material}: never to be changed, never to be given away

export class CryptoKey {
  #slots;
  #algorithm = null;
  #usages = null;

  constructor(secret, slots) {
    if (secret !== SECRET) throw new TypeError("new CryptoKey: keys come from crypto.subtle");
    this.#slots = slots;
  }

  get type() {
    return this.#slots.type;
  }

  get extractable() {
    return this.#slots.extractable;
  }

  get algorithm() {
    this.#algorithm ??= viewOf(this.#slots.algorithm);
    return this.#algorithm;
  }

  get usages() {
    this.#usages ??= arraySlice(this.#slots.usages);
    return this.#usages;
  }

  static {
    isKey = (value) => isObject(value) && #slots in value;
    slotsOf = (key) => key.#slots;
  }
}
defineInterface(CryptoKey, "CryptoKey");

export const makeKey = (slots) => new CryptoKey(SECRET, slots);

function viewOf(algorithm) {
  const view = { ...algorithm };
  if (algorithm.hash !== undefined) view.hash = { name: algorithm.hash.name };
  if (algorithm.publicExponent !== undefined) view.publicExponent = copyBytes(algorithm.publicExponent);
  return view;
}
