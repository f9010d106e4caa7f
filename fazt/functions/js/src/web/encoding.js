// TextEncoder and TextDecoder: UTF-8 here, all other encodings by a library that is loaded when one is asked for.
//
// Rule: UTF-8 never loads anything.

import { NativeUint8Array, bytesOf, isSharedArrayBuffer, isUint8Array, subarray } from "./primordials.js";
import { decodeUtf8, encodeInto, encodeUtf8, unfinished } from "./utf8.js";
import { defineInterface, requireArguments, toDictionary, toDomString } from "./webidl.js";

const UTF8_LABELS = {
  __proto__: null,
  "utf-8": true, utf8: true, "unicode-1-1-utf-8": true, unicode11utf8: true, unicode20utf8: true,
  "x-unicode20utf8": true,
};

const legacy = () => require("./encoding_legacy.js");

export class TextEncoder {
  get encoding() {
    return "utf-8";
  }

  encode(input = "") {
    this.encoding;
    return encodeUtf8(toDomString(input));
  }

  encodeInto(source, destination) {
    requireArguments(arguments.length, 2, "encodeInto");
    const text = toDomString(source);
    if (!isUint8Array(destination)) throw new TypeError("encodeInto: the destination is not a Uint8Array");
    return encodeInto(text, destination);
  }
}
defineInterface(TextEncoder, "TextEncoder");

// What a BufferSource holds, as bytes; shared memory is copied, for it may change meanwhile.
export function toBytes(input, what) {
  if (isUint8Array(input) && !isSharedArrayBuffer(input.buffer)) return input;
  if (isSharedArrayBuffer(input)) return new NativeUint8Array(input).slice();
  const bytes = bytesOf(input);
  if (bytes === undefined) throw new TypeError(`${what}: the input is neither an ArrayBuffer nor a view of one`);
  return isSharedArrayBuffer(bytes.buffer) ? bytes.slice() : bytes;
}

export class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBOM;
  #decoder = null; // of the library, where the encoding is not UTF-8
  #kept = null; // the first bytes of a character that is not complete
  #atStart = true;
  #streaming = false;

  constructor(label = "utf-8", options = undefined) {
    const name = toDomString(label);
    const init = toDictionary(options, "new TextDecoder");
    this.#fatal = Boolean(init.fatal);
    this.#ignoreBOM = Boolean(init.ignoreBOM);
    if (name === "utf-8" || UTF8_LABELS[name.replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, "").toLowerCase()]) {
      this.#encoding = "utf-8";
      return;
    }
    this.#encoding = legacy().findEncoding(name);
    this.#decoder = legacy().makeDecoder(this.#encoding, this.#fatal, this.#ignoreBOM);
  }

  get encoding() {
    return this.#encoding;
  }

  get fatal() {
    return this.#fatal;
  }

  get ignoreBOM() {
    return this.#ignoreBOM;
  }

  decode(input = undefined, options = undefined) {
    this.#encoding;
    let bytes = input === undefined ? new NativeUint8Array(0) : toBytes(input, "decode");
    const stream = Boolean(toDictionary(options, "decode").stream);
    if (this.#decoder !== null) return this.#decoder(bytes, stream);
    if (!this.#streaming) {
      this.#kept = null;
      this.#atStart = true;
    }
    this.#streaming = stream;
    if (this.#kept !== null) {
      const joined = new NativeUint8Array(this.#kept.length + bytes.length);
      joined.set(this.#kept);
      joined.set(bytes, this.#kept.length);
      bytes = joined;
      this.#kept = null;
    }
    if (stream) {
      const rest = unfinished(bytes);
      if (rest > 0) {
        this.#kept = bytes.slice(bytes.length - rest);
        bytes = subarray(bytes, 0, bytes.length - rest);
      }
    }
    if (this.#atStart && bytes.length > 0) {
      const mark = bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
      if (mark && !this.#ignoreBOM) bytes = subarray(bytes, 3);
      this.#atStart = false;
    }
    return decodeUtf8(bytes, this.#fatal);
  }
}
defineInterface(TextDecoder, "TextDecoder");

// "UTF-8 decode": the mark is dropped, errors become U+FFFD; how bodies become text.
export function decodeBody(bytes) {
  if (bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) bytes = subarray(bytes, 3);
  return decodeUtf8(bytes);
}
