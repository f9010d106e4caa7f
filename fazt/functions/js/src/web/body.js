// The body of a request or a response: what it was made from, and a stream of it only when somebody asks for one.
//
// Rule: a body that is a string or bytes is read without a stream, and read once.

import {
  NativeUint8Array, bytesOf, copyBytes, getOwnPropertyDescriptor, isUint8Array, joinBytes, jsonParse, toWellFormed,
} from "./primordials.js";
import { decodeBody } from "./encoding.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";
import { defineInterface, isObject } from "./webidl.js";
import { blobBytes, isBlob, makeBlob } from "./blob.js";
import { formEntries, formFrom, isFormData } from "./form_data.js";
import { isUrlSearchParams } from "./url.js";
import { isDisturbed, isLocked, isReadableStream } from "./streams_state.js";

const streams = () => require("./streams.js");

let randomBytes = () => new NativeUint8Array(16);

// Boundaries of multipart bodies are made from these.
export function setRandom(random) {
  randomBytes = random;
}

// `source` is a string, bytes, a Blob, or null where there is only a stream.
export class Body {
  constructor(source, stream = null) {
    this.source = source;
    this.stream = stream;
    this.used = false; // read without a stream
    this.signal = null; // a response's body that stops when its request is aborted
  }

  get disturbed() {
    return this.used || (this.stream !== null && isDisturbed(this.stream));
  }

  get unusable() {
    return this.used || (this.stream !== null && (isDisturbed(this.stream) || isLocked(this.stream)));
  }

  toStream() {
    if (this.stream === null) {
      this.stream = this.used ? streams().usedStream() : streams().bytesStream(copyBytes(sourceBytes(this.source)));
    }
    return this.stream;
  }

  clone() {
    if (this.stream === null) return new Body(this.source);
    const [first, second] = streams().teeBody(this.stream);
    this.stream = first;
    return new Body(null, second);
  }
}

export function sourceBytes(source) {
  if (typeof source === "string") return encodeUtf8(source);
  return isUint8Array(source) ? source : blobBytes(source);
}

// [body, Content-Type or null] of what a BodyInit is. A stream must not be locked or read.
export function extractBody(init, what) {
  if (typeof init === "string") return [new Body(toWellFormed(init)), "text/plain;charset=UTF-8"];
  if (isObject(init)) {
    if (isReadableStream(init)) {
      if (isDisturbed(init) || isLocked(init)) throw new TypeError(`${what}: the stream is locked or was read already`);
      return [new Body(null, init), null];
    }
    if (isBlob(init)) return [new Body(init), init.type || null];
    const bytes = bytesOf(init);
    if (bytes !== undefined) return [new Body(copyBytes(bytes)), null];
    if (isUrlSearchParams(init)) {
      return [new Body(init.toString()), "application/x-www-form-urlencoded;charset=UTF-8"];
    }
    if (isFormData(init)) {
      const boundary = `----fazt-${randomBytes(16).toHex()}`;
      const bytes = require("./multipart.js").serializeMultipart(formEntries(init), boundary);
      return [new Body(bytes), `multipart/form-data; boundary=${boundary}`];
    }
  }
  return [new Body(toWellFormed(`${init}`)), "text/plain;charset=UTF-8"];
}

async function readAll(stream) {
  const { cancelFrom, readFrom, readerOf } = streams();
  const reader = readerOf(stream);
  const pieces = [];
  let total = 0;
  for (;;) {
    const { done, value } = await readFrom(reader);
    if (done) return joinBytes(pieces, total);
    if (!isUint8Array(value)) {
      const error = new TypeError("A chunk of the body's stream is not a Uint8Array");
      cancelFrom(reader, error).catch(() => {});
      throw error;
    }
    pieces[pieces.length] = value;
    total += value.length;
  }
}

let stateOf; // (owner) -> its Body or null; throws where it is neither a Request nor a Response
let typeOf; // (owner) -> the parsed Content-Type or null

export function knowOwners(getState, getType) {
  stateOf = getState;
  typeOf = getType;
}

// The bytes or the string of a body, read now.
async function consume(owner, asText) {
  const body = stateOf(owner);
  if (body === null) return asText ? "" : new NativeUint8Array(0);
  if (body.unusable) throw new TypeError("The body was read already, or its stream is locked");
  if (body.stream === null) {
    body.used = true;
    const { source } = body;
    if (asText) return typeof source === "string" ? withoutMark(source) : decodeBody(sourceBytes(source));
    return typeof source === "string" ? encodeUtf8(source) : copyBytes(sourceBytes(source));
  }
  const bytes = await readAll(body.stream);
  return asText ? decodeBody(bytes) : bytes;
}

const withoutMark = (text) => (text[0] === "\ufeff" ? text.slice(1) : text);

async function toFormData(owner) {
  const type = typeOf(owner);
  const bytes = await consume(owner, false);
  if (type !== null && type.essence === "multipart/form-data" && type.parameters.has("boundary")) {
    return formFrom(require("./multipart.js").parseMultipart(bytes, type.parameters.get("boundary")));
  }
  if (type !== null && type.essence === "application/x-www-form-urlencoded") {
    return formFrom(require("./urlencoded.js").parseUrlencoded(decodeUtf8(bytes)));
  }
  throw new TypeError("formData: the Content-Type is neither multipart/form-data nor a urlencoded form");
}

async function toBlob(owner) {
  const type = typeOf(owner);
  const bytes = await consume(owner, false);
  return makeBlob(bytes, type === null ? "" : require("./mime.js").serializeMime(type));
}

const members = {
  get body() {
    const body = stateOf(this);
    return body === null ? null : body.toStream();
  },
  get bodyUsed() {
    const body = stateOf(this);
    return body !== null && body.disturbed;
  },
  async arrayBuffer() {
    return (await consume(this, false)).buffer;
  },
  blob() {
    return toBlob(this);
  },
  bytes() {
    return consume(this, false);
  },
  formData() {
    return toFormData(this);
  },
  async json() {
    return jsonParse(await consume(this, true));
  },
  text() {
    return consume(this, true);
  },
};

// Give Request and Response what both have.
export function defineBody(Class, name) {
  for (const key in members) {
    const property = getOwnPropertyDescriptor(members, key);
    property.enumerable = false;
    Object.defineProperty(Class.prototype, key, property);
  }
  defineInterface(Class, name);
}
