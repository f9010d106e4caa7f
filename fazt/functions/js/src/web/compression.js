// CompressionStream and DecompressionStream: gzip, deflate and deflate-raw, by pako.
//
// Rule: input that is damaged, cut off or followed by something else is a TypeError; loaded only by the first use.

import source from "packed:zlib";
import { copyBytes, isSharedArrayBuffer } from "./primordials.js";
import { toBytes } from "./encoding.js";
import { unpack } from "./packed.js";
import { TransformStream } from "./streams.js";
import { defineInterface, requireArguments, toDomString } from "./webidl.js";

const { Deflate, Inflate } = unpack(source, "zlib");
const OPTIONS = { gzip: { gzip: true }, deflate: {}, "deflate-raw": { raw: true } };
const WINDOW_BITS = { gzip: 31, deflate: 15, "deflate-raw": -15 };

function toFormat(value, what) {
  const format = toDomString(value);
  if (!Object.hasOwn(OPTIONS, format)) throw new TypeError(`${what}: "${format}" is not gzip, deflate or deflate-raw`);
  return format;
}

function toChunk(chunk, what) {
  if (isSharedArrayBuffer(chunk) || isSharedArrayBuffer(chunk?.buffer)) {
    throw new TypeError(`${what}: a chunk must not be shared memory`);
  }
  return toBytes(chunk, what);
}

// A transform around one of pako's pushers; `finish` throws where the end came too early.
function transformOver(pusher, what, finish) {
  let output = null;
  pusher.onData = (bytes) => output.enqueue(copyBytes(bytes));
  pusher.onEnd = () => {};
  const check = () => {
    if (pusher.err !== 0) throw new TypeError(`${what}: the data is damaged: ${pusher.msg}`);
  };
  return new TransformStream({
    transform(chunk, controller) {
      const bytes = toChunk(chunk, what);
      if (bytes.length === 0) return;
      if (pusher.ended) throw new TypeError(`${what}: something follows the end of the data`);
      output = controller;
      pusher.push(bytes, false);
      check();
      if (pusher.ended && pusher.strm.avail_in > 0) {
        throw new TypeError(`${what}: something follows the end of the data`);
      }
    },
    flush(controller) {
      output = controller;
      finish(pusher);
      check();
    },
  });
}

export class CompressionStream {
  #transform;

  constructor(format) {
    requireArguments(arguments.length, 1, "new CompressionStream");
    const options = OPTIONS[toFormat(format, "new CompressionStream")];
    this.#transform = transformOver(new Deflate(options), "CompressionStream", (pusher) => {
      pusher.push(new Uint8Array(0), true);
    });
  }

  get readable() {
    return this.#transform.readable;
  }

  get writable() {
    return this.#transform.writable;
  }
}
defineInterface(CompressionStream, "CompressionStream");

export class DecompressionStream {
  #transform;

  constructor(format) {
    requireArguments(arguments.length, 1, "new DecompressionStream");
    const windowBits = WINDOW_BITS[toFormat(format, "new DecompressionStream")];
    this.#transform = transformOver(new Inflate({ windowBits }), "DecompressionStream", (pusher) => {
      if (!pusher.ended) throw new TypeError("DecompressionStream: the data ends too early");
    });
  }

  get readable() {
    return this.#transform.readable;
  }

  get writable() {
    return this.#transform.writable;
  }
}
defineInterface(DecompressionStream, "DecompressionStream");
