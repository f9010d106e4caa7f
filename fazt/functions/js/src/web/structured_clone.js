// structuredClone: a deep copy of data, as the HTML standard says.
//
// Rule: each object is copied once, whatever it is reached by; what is no data (functions, symbols, streams) is
// refused. It goes down by recursion: a value too deep for the stack is a RangeError, and so never kills the isolate.

import { isSharedArrayBuffer, typedArrayName, uncurry } from "./primordials.js";
import { kindOf } from "./kinds.js";
import { blobBytes, isBlob, isFile, makeBlob, makeFile } from "./blob.js";
import { DOMException, isDomException } from "./dom_exception.js";
import { isHeaders } from "./headers.js";
import { isFormData } from "./form_data.js";
import { isSignal } from "./abort.js";
import { isRequest } from "./request.js";
import { isResponse } from "./response.js";
import { isReadableStream } from "./streams_state.js";
import { isUrl, isUrlSearchParams } from "./url.js";
import { requireArguments, toDictionary, toSequence } from "./webidl.js";

const getter = (Class, name) => uncurry(Object.getOwnPropertyDescriptor(Class.prototype, name).get);
const bufferLength = getter(ArrayBuffer, "byteLength");
const viewLength = getter(DataView, "byteLength");
const mapSize = getter(Map, "size");
const setSize = getter(Set, "size");
const regexSource = getter(RegExp, "source");
const regexFlags = getter(RegExp, "flags");
const dateValue = uncurry(Date.prototype.getTime);
const mapForEach = uncurry(Map.prototype.forEach);
const setForEach = uncurry(Set.prototype.forEach);
const elementAt = uncurry(Object.getPrototypeOf(Uint8Array.prototype).at);
const { isError = (value) => value instanceof Error } = Error;
const { hasOwn, keys, defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Object;
const ERRORS = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
const VIEWS = Object.fromEntries(
  [
    Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float16Array,
    Float32Array, Float64Array, BigInt64Array, BigUint64Array,
  ].map((Class) => [Class.name, Class]),
);

// What only an object of the class itself can do.
const weakMapHas = uncurry(WeakMap.prototype.has);
const weakSetHas = uncurry(WeakSet.prototype.has);
const OPERATIONS = {
  ArrayBuffer: bufferLength, SharedArrayBuffer: getter(SharedArrayBuffer, "byteLength"), Map: mapSize, Set: setSize,
  Date: dateValue, RegExp: getter(RegExp, "hasIndices"),
  Boolean: uncurry(Boolean.prototype.valueOf), Number: uncurry(Number.prototype.valueOf),
  String: uncurry(String.prototype.valueOf), BigInt: uncurry(BigInt.prototype.valueOf),
  Symbol: uncurry(Symbol.prototype.valueOf), WeakRef: uncurry(WeakRef.prototype.deref),
  WeakMap: (value) => weakMapHas(value, value), WeakSet: (value) => weakSetHas(value, value),
  Promise: () => undefined, // nothing of a promise tells without running code of the script
};
const PLATFORM = [isHeaders, isFormData, isSignal, isRequest, isResponse, isReadableStream, isUrl, isUrlSearchParams];

// Does this getter or method of a built-in class take the value for one of its own?
function belongs(operation, value) {
  try {
    operation(value);
    return true;
  } catch {
    return false;
  }
}

const fail = (what) => new DOMException(`structuredClone: ${what}`, "DataCloneError");

export function structuredClone(value, options = undefined) {
  requireArguments(arguments.length, 1, "structuredClone");
  const { transfer } = toDictionary(options, "structuredClone");
  const moving = new Set();
  for (const each of transfer === undefined ? [] : toSequence(transfer, (item) => item, "structuredClone: transfer")) {
    if (!belongs(bufferLength, each) || moving.has(each)) throw fail("only ArrayBuffers can be transferred, each once");
    moving.add(each);
  }
  const copied = copy(value, new Map());
  for (const buffer of moving) if (buffer.detached) throw fail("an ArrayBuffer to be transferred is detached");
  // A transfer is a copy whose original is taken away: to a script it looks the same.
  for (const buffer of moving) buffer.transfer();
  return copied;
}

function copy(value, memory) {
  if (typeof value === "symbol") throw fail("a symbol can't be copied");
  if (typeof value === "function") throw fail(`the function ${value.name || "(anonymous)"} can't be copied`);
  if (typeof value !== "object" || value === null) return value;
  const known = memory.get(value);
  return known !== undefined ? known : copyObject(value, memory);
}

function remember(value, target, memory) {
  memory.set(value, target);
  return target;
}

function copyObject(value, memory) {
  if (Array.isArray(value)) return copyProperties(value, remember(value, new Array(value.length), memory), memory);
  const prototype = getPrototypeOf(value);
  if (prototype !== Object.prototype) {
    const special = copySpecial(value, memory) ?? copyPlatform(value, memory);
    if (special !== undefined) return special;
  }
  return copyProperties(value, remember(value, {}, memory), memory);
}

function copyProperties(value, target, memory) {
  for (const key of keys(value)) {
    if (!hasOwn(value, key)) continue; // a getter that ran before removed it
    const copied = copy(value[key], memory);
    defineProperty(target, key, { value: copied, writable: true, enumerable: true, configurable: true });
  }
  return target;
}

// A copy of what is built into the language; undefined for anything else.
function copySpecial(value, memory) {
  if (ArrayBuffer.isView(value)) return copyView(value, memory);
  if (isError(value)) return copyError(value, memory);
  const kind = kindOf(value);
  const operation = kind === undefined ? undefined : OPERATIONS[kind];
  if (operation === undefined || !belongs(operation, value)) return undefined;
  if (COPIES[kind] === undefined) throw fail(`an object of class ${kind} can't be copied`);
  return COPIES[kind](value, memory);
}

const COPIES = {
  ArrayBuffer: (value, memory) => remember(value, copyBuffer(value), memory),
  SharedArrayBuffer: (value, memory) => remember(value, value, memory),
  Map: copyMap,
  Set: copySet,
  Date: (value, memory) => remember(value, new Date(dateValue(value)), memory),
  RegExp: (value, memory) => remember(value, new RegExp(regexSource(value), regexFlags(value)), memory),
};
for (const kind of ["Boolean", "Number", "String", "BigInt"]) {
  COPIES[kind] = (value, memory) => remember(value, Object(OPERATIONS[kind](value)), memory);
}

// A copy of an object of the web; undefined for an ordinary object.
function copyPlatform(value, memory) {
  if (isDomException(value)) {
    const target = new DOMException(value.message, value.name);
    defineProperty(target, "stack", { value: `${value.stack}`, writable: true, configurable: true });
    return remember(value, target, memory);
  }
  if (isFile(value)) {
    return remember(value, makeFile(blobBytes(value), value.type, value.name, value.lastModified), memory);
  }
  if (isBlob(value)) return remember(value, makeBlob(blobBytes(value), value.type), memory);
  if (PLATFORM.some((isOne) => isOne(value))) {
    throw fail(`an object of class ${value.constructor?.name ?? "?"} can't be copied`);
  }
  return undefined;
}

function copyBuffer(buffer) {
  if (buffer.detached) throw fail("an ArrayBuffer is detached");
  if (!buffer.resizable) return buffer.slice(0);
  const target = new ArrayBuffer(buffer.byteLength, { maxByteLength: buffer.maxByteLength });
  new Uint8Array(target).set(new Uint8Array(buffer));
  return target;
}

function copyView(view, memory) {
  const name = typedArrayName(view);
  const inBounds = name === undefined ? belongs(viewLength, view) : belongs((array) => elementAt(array, 0), view);
  if (!inBounds) throw fail("a view is outside of its buffer");
  const tracks = tracksLength(view);
  const buffer = copy(view.buffer, memory);
  const Class = VIEWS[name] ?? DataView;
  if (tracks) return remember(view, new Class(buffer, view.byteOffset), memory);
  return remember(view, new Class(buffer, view.byteOffset, view.length ?? view.byteLength), memory);
}

const viewSize = (view) => view.byteLength; // that of a DataView throws where it is out of bounds

// Does the view grow with its buffer? Nothing says so but trying.
function tracksLength(view) {
  const { buffer, byteLength: before } = view;
  if (isSharedArrayBuffer(buffer) || !buffer.resizable) return false;
  const { byteLength, maxByteLength } = buffer;
  const step = view.BYTES_PER_ELEMENT ?? 1;
  if (byteLength + step <= maxByteLength) {
    buffer.resize(byteLength + step);
    const grew = view.byteLength !== before;
    buffer.resize(byteLength);
    return grew;
  }
  if (before < step) return false;
  const tail = new Uint8Array(buffer, byteLength - step).slice();
  buffer.resize(byteLength - step);
  const shrank = belongs(viewSize, view) && viewSize(view) === before - step;
  buffer.resize(byteLength);
  new Uint8Array(buffer, byteLength - step).set(tail);
  return shrank;
}

function copyMap(map, memory) {
  const target = remember(map, new Map(), memory);
  const pairs = [];
  mapForEach(map, (value, key) => pairs.push([key, value]));
  for (const [key, value] of pairs) target.set(copy(key, memory), copy(value, memory));
  return target;
}

function copySet(set, memory) {
  const target = remember(set, new Set(), memory);
  const values = [];
  setForEach(set, (value) => values.push(value));
  for (const value of values) target.add(copy(value, memory));
  return target;
}

function copyError(error, memory) {
  const { name } = error;
  const Class = (name !== undefined && hasOwn(ERRORS, `${name}`) && ERRORS[`${name}`]) || Error;
  const target = remember(error, new Class(), memory);
  for (const key of ["message", "stack", "cause"]) {
    const property = getOwnPropertyDescriptor(error, key);
    if (property === undefined || !(key === "stack" || hasOwn(property, "value"))) continue;
    const value = key === "cause" ? copy(property.value, memory) : `${error[key]}`;
    defineProperty(target, key, { value, writable: true, configurable: true });
  }
  return target;
}
