// Headers: a list of pairs whose names are lower case already.
//
// Rule: no name that is not a token and no value with a line break ever gets into the list.

import { slice, toLowerCase } from "./primordials.js";
import { defineInterface, definePairIterable, isObject, requireArguments, toByteString, toPairs } from "./webidl.js";

const TOKEN = new Uint8Array(256); // 1 where the character may stand in a name
for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  TOKEN[character.charCodeAt(0)] = 1;
}

const isBlank = (code) => code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;

export function normalizeValue(value) {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start++;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end--;
  return start === 0 && end === value.length ? value : slice(value, start, end);
}

export function toName(value, what) {
  const name = typeof value === "string" ? value : `${value}`;
  const { length } = name;
  let good = length > 0;
  for (let i = 0; i < length && good; i++) good = TOKEN[name.charCodeAt(i)] === 1;
  if (!good) throw new TypeError(`${what}: "${slice(name, 0, 100)}" is not a name of a header`);
  return toLowerCase(name);
}

export function toValue(value, what) {
  const text = normalizeValue(toByteString(value, what));
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0 || code === 10 || code === 13) {
      throw new TypeError(`${what}: a header's value holds a line break or a NUL`);
    }
  }
  return text;
}

export let isHeaders;
export let listOf; // (headers) -> its pairs, in the order in which they were added
export let fromList; // (pairs, immutable) -> Headers over this very list
let sortedOf;
export let fill; // (headers, init, what)

// Sorted by name; values of one name joined by a comma, except those of Set-Cookie.
function sortAndCombine(list) {
  const combined = [];
  const places = { __proto__: null };
  for (let i = 0; i < list.length; i++) {
    const name = list[i][0];
    const place = places[name];
    if (place === undefined || name === "set-cookie") {
      places[name] = combined.length;
      combined[combined.length] = [name, list[i][1]];
    } else {
      combined[place][1] += `, ${list[i][1]}`;
    }
  }
  return combined.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
}

export class Headers {
  #list = [];
  #immutable = false;
  #sorted = null; // for iteration; forgotten at every change

  constructor(init = undefined) {
    if (init !== undefined) fill(this, init, "new Headers");
  }

  #writable(what) {
    if (this.#immutable) {
      throw new TypeError(`${what}: these headers can't be changed; copy them first: new Headers(headers)`);
    }
    this.#sorted = null;
  }

  append(name, value) {
    this.#list;
    requireArguments(arguments.length, 2, "Headers.append");
    const key = toName(name, "Headers.append");
    const text = toValue(value, "Headers.append");
    this.#writable("Headers.append");
    this.#list[this.#list.length] = [key, text];
  }

  delete(name) {
    this.#list;
    requireArguments(arguments.length, 1, "Headers.delete");
    const key = toName(name, "Headers.delete");
    this.#writable("Headers.delete");
    const list = this.#list;
    let kept = 0;
    for (let i = 0; i < list.length; i++) if (list[i][0] !== key) list[kept++] = list[i];
    list.length = kept;
  }

  get(name) {
    const list = this.#list;
    requireArguments(arguments.length, 1, "Headers.get");
    const key = toName(name, "Headers.get");
    let found = null;
    for (let i = 0; i < list.length; i++) {
      if (list[i][0] === key) found = found === null ? list[i][1] : `${found}, ${list[i][1]}`;
    }
    return found;
  }

  getSetCookie() {
    const values = [];
    for (let i = 0; i < this.#list.length; i++) {
      if (this.#list[i][0] === "set-cookie") values[values.length] = this.#list[i][1];
    }
    return values;
  }

  has(name) {
    const list = this.#list;
    requireArguments(arguments.length, 1, "Headers.has");
    const key = toName(name, "Headers.has");
    for (let i = 0; i < list.length; i++) if (list[i][0] === key) return true;
    return false;
  }

  set(name, value) {
    this.#list;
    requireArguments(arguments.length, 2, "Headers.set");
    const key = toName(name, "Headers.set");
    const text = toValue(value, "Headers.set");
    this.#writable("Headers.set");
    const list = this.#list;
    let kept = 0;
    let found = false;
    for (let i = 0; i < list.length; i++) {
      if (list[i][0] !== key) list[kept++] = list[i];
      else if (!found) {
        found = true;
        list[kept++] = [key, text];
      }
    }
    list.length = kept;
    if (!found) list[kept] = [key, text];
  }

  static {
    isHeaders = (value) => isObject(value) && #list in value;
    listOf = (headers) => headers.#list;
    fromList = (list, immutable) => {
      const headers = new Headers();
      headers.#list = list;
      headers.#immutable = immutable;
      return headers;
    };
    sortedOf = (headers) => {
      return (headers.#sorted ??= sortAndCombine(headers.#list));
    };
    fill = (headers, init, what) => {
      if (!isObject(init)) throw new TypeError(`${what}: the headers are neither an object nor a list of pairs`);
      const own = isHeaders(init) && init[Symbol.iterator] === entries;
      const pairs = own ? init.#list : toPairs(init, (text) => toByteString(text, what), what);
      for (let i = 0; i < pairs.length; i++) {
        const pair = own ? pairs[i] : [toName(pairs[i][0], what), toValue(pairs[i][1], what)];
        headers.#writable(what);
        headers.#list[headers.#list.length] = [pair[0], pair[1]];
      }
    };
  }
}

definePairIterable(Headers, "Headers", (headers) => sortedOf(headers));
const entries = Headers.prototype[Symbol.iterator];
defineInterface(Headers, "Headers");

// Is there a header of this name? (name in lower case)
export function listHas(list, name) {
  for (let i = 0; i < list.length; i++) if (list[i][0] === name) return true;
  return false;
}

// All values of Content-Type in a list.
export function contentTypes(list) {
  const values = [];
  for (let i = 0; i < list.length; i++) if (list[i][0] === "content-type") values[values.length] = list[i][1];
  return values;
}
