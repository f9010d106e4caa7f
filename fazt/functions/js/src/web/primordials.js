// The built-ins that the request path uses, held from before any user code ran.
//
// Rule: what runs for every request calls these, never a method looked up on a prototype that a script can change.

const { call, bind } = Function.prototype;

// A method as a function whose first argument is `this`.
export const uncurry = bind.bind(call);

export const {
  create: objectCreate,
  defineProperty,
  defineProperties,
  getOwnPropertyDescriptor,
  getPrototypeOf,
  setPrototypeOf,
  freeze,
  keys: objectKeys,
} = Object;
export const { apply, ownKeys, construct } = Reflect;
export const { isArray } = Array;
export const { isView } = ArrayBuffer;
export const { fromCharCode } = String;
export const { parse: jsonParse, stringify: jsonStringify } = JSON;
export const { min, max, floor, trunc } = Math;
export const NativePromise = Promise;
export const NativeUint8Array = Uint8Array;
export const NativeMap = Map;

export const hasOwn = Object.hasOwn;
export const charCodeAt = uncurry(String.prototype.charCodeAt);
export const toLowerCase = uncurry(String.prototype.toLowerCase);
export const toUpperCase = uncurry(String.prototype.toUpperCase);
export const toWellFormed = uncurry(String.prototype.toWellFormed);
export const slice = uncurry(String.prototype.slice);
export const indexOf = uncurry(String.prototype.indexOf);
export const startsWith = uncurry(String.prototype.startsWith);
export const split = uncurry(String.prototype.split);
export const join = uncurry(Array.prototype.join);
export const sort = uncurry(Array.prototype.sort);
export const arraySlice = uncurry(Array.prototype.slice);
export const splice = uncurry(Array.prototype.splice);
export const mapGet = uncurry(Map.prototype.get);
export const mapSet = uncurry(Map.prototype.set);
export const then = uncurry(Promise.prototype.then);
export const subarray = uncurry(Uint8Array.prototype.subarray);
export const setBytes = uncurry(Uint8Array.prototype.set);

const typedArray = getPrototypeOf(Uint8Array.prototype);
const tagGetter = uncurry(getOwnPropertyDescriptor(typedArray, Symbol.toStringTag).get);
const viewBuffer = uncurry(getOwnPropertyDescriptor(typedArray, "buffer").get);
const viewOffset = uncurry(getOwnPropertyDescriptor(typedArray, "byteOffset").get);
const viewLength = uncurry(getOwnPropertyDescriptor(typedArray, "byteLength").get);
const dataViewBuffer = uncurry(getOwnPropertyDescriptor(DataView.prototype, "buffer").get);
const dataViewOffset = uncurry(getOwnPropertyDescriptor(DataView.prototype, "byteOffset").get);
const dataViewLength = uncurry(getOwnPropertyDescriptor(DataView.prototype, "byteLength").get);
const bufferLength = uncurry(getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength").get);
const sharedLength = uncurry(getOwnPropertyDescriptor(SharedArrayBuffer.prototype, "byteLength").get);

// "Uint8Array", "Float64Array", ... or undefined: no script can make an object lie about it.
export const typedArrayName = (value) => tagGetter(value);
export const isUint8Array = (value) => tagGetter(value) === "Uint8Array";

export function isArrayBuffer(value) {
  if (typeof value !== "object" || value === null) return false;
  try {
    bufferLength(value);
    return true;
  } catch {
    return false;
  }
}

export function isSharedArrayBuffer(value) {
  if (typeof value !== "object" || value === null) return false;
  try {
    sharedLength(value);
    return true;
  } catch {
    return false;
  }
}

// The bytes behind an ArrayBuffer or a view, not copied; undefined for anything else. A detached one is empty.
export function bytesOf(value) {
  if (isView(value)) {
    if (tagGetter(value) === "Uint8Array") return value;
    if (tagGetter(value) === undefined) {
      let length;
      try {
        length = dataViewLength(value);
      } catch {
        return new NativeUint8Array(0); // a DataView over a detached buffer
      }
      return new NativeUint8Array(dataViewBuffer(value), dataViewOffset(value), length);
    }
    const buffer = viewBuffer(value);
    if (!isSharedArrayBuffer(buffer) && buffer.detached) return new NativeUint8Array(0);
    return new NativeUint8Array(buffer, viewOffset(value), viewLength(value));
  }
  if (isArrayBuffer(value)) return value.detached ? new NativeUint8Array(0) : new NativeUint8Array(value);
  return undefined;
}

export function copyBytes(bytes) {
  const copy = new NativeUint8Array(bytes.length);
  setBytes(copy, bytes);
  return copy;
}

export function joinBytes(pieces, total) {
  if (pieces.length === 1) return pieces[0];
  const joined = new NativeUint8Array(total);
  let offset = 0;
  for (let i = 0; i < pieces.length; i++) {
    setBytes(joined, pieces[i], offset);
    offset += pieces[i].length;
  }
  return joined;
}
