// How Web IDL makes JavaScript values into arguments, and the looks of an interface: enumerable members, tags,
// iterators.
//
// Rule: a wrong argument is a TypeError that names what was called and what came.

import {
  defineProperty,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  objectCreate,
  ownKeys,
  toWellFormed,
  trunc,
} from "./primordials.js";

export const toUsvString = (value) => toWellFormed(typeof value === "string" ? value : `${value}`);
export const toDomString = (value) => (typeof value === "string" ? value : `${value}`);

export function toByteString(value, what) {
  const text = typeof value === "string" ? value : `${value}`;
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 255) {
      throw new TypeError(`${what}: a character at position ${i} is not Latin-1 (above U+00FF)`);
    }
  }
  return text;
}

export function requireArguments(given, wanted, what) {
  if (given < wanted) {
    throw new TypeError(`${what}: ${wanted} argument${wanted === 1 ? "" : "s"} required, but only ${given} present`);
  }
}

export const isObject = (value) => (typeof value === "object" && value !== null) || typeof value === "function";

const NOTHING = Object.freeze(objectCreate(null)); // whatever a script puts on Object.prototype

// A dictionary argument: undefined and null are the empty one.
export function toDictionary(value, what) {
  if (value === undefined || value === null) return NOTHING;
  if (!isObject(value)) throw new TypeError(`${what}: the options are not an object`);
  return value;
}

export function toUnsignedShort(value) {
  const number = trunc(+value);
  return number === number && number !== Infinity && number !== -Infinity ? ((number % 65536) + 65536) % 65536 : 0;
}

// [EnforceRange] unsigned long long.
export function toEnforcedRange(value, what) {
  const number = trunc(+value);
  if (number !== number || number < 0 || number > Number.MAX_SAFE_INTEGER) {
    throw new TypeError(`${what}: not a whole number from 0 to 2^53 - 1`);
  }
  return number + 0;
}

// A sequence of anything, read through its own iterator.
export function toSequence(value, convert, what) {
  if (!isObject(value)) throw new TypeError(`${what}: not a sequence`);
  const method = value[Symbol.iterator];
  if (typeof method !== "function") throw new TypeError(`${what}: not a sequence`);
  const iterator = method.call(value);
  const next = iterator.next;
  const list = [];
  for (;;) {
    const step = next.call(iterator);
    if (!isObject(step)) throw new TypeError(`${what}: the iterator gave no object`);
    if (step.done) return list;
    list[list.length] = convert(step.value);
  }
}

// The `(sequence<sequence<string>> or record<string, string>)` of Headers and URLSearchParams as pairs.
export function toPairs(init, convert, what) {
  const pairs = [];
  const method = init[Symbol.iterator];
  if (method !== undefined && method !== null) {
    const rows = toSequence(init, (row) => toSequence(row, convert, `${what}: a pair`), what);
    for (let i = 0; i < rows.length; i++) {
      if (rows[i].length !== 2) throw new TypeError(`${what}: a pair has ${rows[i].length} elements, not two`);
      pairs[i] = rows[i];
    }
    return pairs;
  }
  const keys = ownKeys(init);
  for (let i = 0; i < keys.length; i++) {
    const property = getOwnPropertyDescriptor(init, keys[i]);
    if (property === undefined || !property.enumerable) continue;
    const name = convert(keys[i]);
    const value = convert(init[keys[i]]);
    let place = pairs.length;
    if (name !== keys[i]) {
      // Two names may have become one: the later value takes the earlier place
      for (let j = 0; j < pairs.length; j++) if (pairs[j][0] === name) place = j;
    }
    pairs[place] = [name, value];
  }
  return pairs;
}

// Make a class look as Web IDL wants: a tag, enumerable members, constants on both sides.
export function defineInterface(Class, name, constants) {
  const prototype = Class.prototype;
  defineProperty(Class, "name", { value: name, configurable: true }); // the bundle's own names are short
  defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
  const sides = [prototype, Class];
  for (let side = 0; side < 2; side++) {
    const keys = ownKeys(sides[side]);
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i];
      if (typeof key !== "string" || key === "constructor") continue;
      if (side === 1 && (key === "prototype" || key === "name" || key === "length")) continue;
      const property = getOwnPropertyDescriptor(sides[side], key);
      if (property.enumerable) continue;
      property.enumerable = true;
      defineProperty(sides[side], key, property);
    }
    for (const key in constants) {
      defineProperty(sides[side], key, { value: constants[key], enumerable: true });
    }
  }
}

const iteratorPrototype = getPrototypeOf(getPrototypeOf([][Symbol.iterator]()));

// entries, keys, values, forEach and Symbol.iterator over a list of pairs that may change while it is iterated.
export function definePairIterable(Class, name, pairsOf) {
  const states = new WeakMap();
  const prototype = objectCreate(iteratorPrototype);
  const stateOf = states.get.bind(states);
  const keep = states.set.bind(states);
  const methods = {
    next() {
      const state = isObject(this) ? stateOf(this) : undefined;
      if (state === undefined) throw new TypeError(`next: not a ${name} Iterator`);
      const pairs = pairsOf(state.target);
      if (state.index >= pairs.length) return { value: undefined, done: true };
      const pair = pairs[state.index++];
      return { value: state.kind === 2 ? [pair[0], pair[1]] : pair[state.kind], done: false };
    },
  };
  defineProperty(prototype, "next", { value: methods.next, writable: true, enumerable: true, configurable: true });
  defineProperty(prototype, Symbol.toStringTag, { value: `${name} Iterator`, configurable: true });
  const iterate = (target, kind) => {
    pairsOf(target);
    const iterator = objectCreate(prototype);
    keep(iterator, { target, kind, index: 0 });
    return iterator;
  };
  const members = {
    entries() {
      return iterate(this, 2);
    },
    forEach(callback, thisArgument = undefined) {
      pairsOf(this);
      requireArguments(arguments.length, 1, `${name}.forEach`);
      if (typeof callback !== "function") throw new TypeError(`${name}.forEach: the callback is not a function`);
      for (let i = 0; i < pairsOf(this).length; i++) {
        const pair = pairsOf(this)[i];
        callback.call(thisArgument, pair[1], pair[0], this);
      }
    },
    keys() {
      return iterate(this, 0);
    },
    values() {
      return iterate(this, 1);
    },
  };
  for (const key in members) {
    defineProperty(Class.prototype, key, { value: members[key], writable: true, enumerable: true, configurable: true });
  }
  defineProperty(Class.prototype, Symbol.iterator, { value: members.entries, writable: true, configurable: true });
}
