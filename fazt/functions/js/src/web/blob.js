// Blob and File: bytes in memory that never change.
//
// Rule: a slice shares its parent's bytes; nobody outside gets the bytes themselves, only copies.

import { NativeUint8Array, bytesOf, copyBytes, joinBytes, subarray } from "./primordials.js";
import { decodeBody } from "./encoding.js";
import { encodeUtf8 } from "./utf8.js";
import {
  defineInterface, isObject, requireArguments, toDictionary, toDomString, toSequence, toUsvString,
} from "./webidl.js";

const { now } = Date;
const SECRET = {};

export let isBlob;
export let isFile;
export let blobBytes; // (blob) -> its bytes themselves

function toType(value) {
  const type = toDomString(value);
  return /^[\x20-\x7e]*$/.test(type) ? type.toLowerCase() : "";
}

// [Clamp] long long.
function clamp(value) {
  const number = +value;
  if (number !== number) return 0;
  const rounded = Math.round(number);
  return rounded % 2 !== 0 && Math.abs(number % 1) === 0.5 ? rounded - 1 : rounded;
}

export class Blob {
  #bytes;
  #type;

  constructor(parts = undefined, options = undefined) {
    if (options === SECRET) {
      this.#bytes = parts.bytes;
      this.#type = parts.type;
      return;
    }
    const list = parts === undefined ? [] : toSequence(parts, toPart, "new Blob: the parts");
    const init = toDictionary(options, "new Blob");
    const endings = init.endings === undefined ? "transparent" : `${init.endings}`;
    if (endings !== "transparent" && endings !== "native") {
      throw new TypeError('new Blob: endings is neither "transparent" nor "native"');
    }
    this.#type = init.type === undefined ? "" : toType(init.type);
    const pieces = [];
    let total = 0;
    for (let i = 0; i < list.length; i++) {
      const piece = partBytes(list[i], endings === "native");
      if (piece.length === 0) continue;
      pieces[pieces.length] = piece;
      total += piece.length;
    }
    this.#bytes = joinBytes(pieces, total);
    if (pieces.length === 0) this.#bytes = new NativeUint8Array(0);
  }

  get size() {
    return this.#bytes.length;
  }

  get type() {
    return this.#type;
  }

  slice(start = undefined, end = undefined, contentType = undefined) {
    const { length } = this.#bytes;
    const from = start === undefined ? 0 : clamp(start);
    const to = end === undefined ? length : clamp(end);
    const first = from < 0 ? Math.max(length + from, 0) : Math.min(from, length);
    const last = to < 0 ? Math.max(length + to, 0) : Math.min(to, length);
    const bytes = subarray(this.#bytes, first, Math.max(first, last));
    return makeBlob(bytes, contentType === undefined ? "" : toType(contentType));
  }

  async text() {
    return decodeBody(this.#bytes);
  }

  async arrayBuffer() {
    return copyBytes(this.#bytes).buffer;
  }

  async bytes() {
    return copyBytes(this.#bytes);
  }

  stream() {
    return require("./streams.js").bytesStream(copyBytes(this.#bytes));
  }

  static {
    isBlob = (value) => isObject(value) && #bytes in value;
    blobBytes = (blob) => blob.#bytes;
  }
}
defineInterface(Blob, "Blob");

function toPart(part) {
  if (isBlob(part)) return part;
  if (isObject(part) && bytesOf(part) !== undefined) return part;
  return toUsvString(part);
}

function partBytes(part, native) {
  if (typeof part === "string") return encodeUtf8(native ? part.replace(/\r\n?/g, "\n") : part);
  return isBlob(part) ? blobBytes(part) : copyBytes(bytesOf(part));
}

// A Blob over these very bytes.
export const makeBlob = (bytes, type) => new Blob({ bytes, type }, SECRET);

export class File extends Blob {
  #name;
  #lastModified;

  constructor(parts, name, options = undefined) {
    if (options === SECRET) {
      super(parts, SECRET);
      this.#name = name;
      this.#lastModified = parts.lastModified ?? now();
      return;
    }
    requireArguments(arguments.length, 2, "new File");
    super(toSequence(parts, toPart, "new File: the parts"), options);
    this.#name = toUsvString(name);
    const modified = toDictionary(options, "new File").lastModified;
    this.#lastModified = modified === undefined ? now() : Math.trunc(+modified) || 0;
  }

  get name() {
    return this.#name;
  }

  get lastModified() {
    return this.#lastModified;
  }

  get webkitRelativePath() {
    this.#name;
    return "";
  }

  static {
    isFile = (value) => isObject(value) && #name in value;
  }
}
defineInterface(File, "File");

// A File over these very bytes.
export const makeFile = (bytes, type, name, lastModified) => new File({ bytes, type, lastModified }, name, SECRET);

