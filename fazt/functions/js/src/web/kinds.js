// Which built-in class an object belongs to, by the prototypes that it inherits from.
//
// Asking a built-in getter instead ("is this a Map?") throws for every wrong guess, and a throw costs microseconds.
// Rule: the answer is a guess: whoever acts on it calls the built-in operation, which refuses what is not one.

import { NativeMap, getPrototypeOf, mapGet } from "./primordials.js";

const DEEPEST = 100; // prototypes; a Proxy can have as many as it likes

const typedArray = getPrototypeOf(Uint8Array);
const classes = {
  ArrayBuffer, BigInt, Boolean, DataView, Date, Map, Number, Promise, RegExp, Set, SharedArrayBuffer, String, Symbol,
  WeakMap, WeakRef, WeakSet, TypedArray: typedArray,
};
const kinds = new NativeMap();
for (const name in classes) kinds.set(classes[name].prototype, name);

// "Map", "Date", "TypedArray", ... or undefined for everything else.
export function kindOf(value) {
  let prototype = getPrototypeOf(value);
  for (let i = 0; i < DEEPEST && prototype !== null; i++) {
    const kind = mapGet(kinds, prototype);
    if (kind !== undefined) return kind;
    prototype = getPrototypeOf(prototype);
  }
  return undefined;
}
