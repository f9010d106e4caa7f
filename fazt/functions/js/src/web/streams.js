// Web streams, by web-streams-polyfill, and what bodies need to know of them.
//
// Rule: loaded only when a stream is made or asked for; `isReadableStream` of streams_state.js knows without loading.

import source from "packed:streams";
import { unpack } from "./packed.js";
import { knowStreams } from "./streams_state.js";

export const {
  ByteLengthQueuingStrategy,
  CountQueuingStrategy,
  ReadableByteStreamController,
  ReadableStream,
  ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest,
  ReadableStreamDefaultController,
  ReadableStreamDefaultReader,
  TransformStream,
  TransformStreamDefaultController,
  WritableStream,
  WritableStreamDefaultController,
  WritableStreamDefaultWriter,
} = unpack(source, "streams");

const { getReader, tee, cancel } = ReadableStream.prototype;
const { read, releaseLock, cancel: cancelReader } = ReadableStreamDefaultReader.prototype;
const { enqueue, close } = ReadableByteStreamController.prototype;
const lockedGetter = Object.getOwnPropertyDescriptor(ReadableStream.prototype, "locked").get;

export const readerOf = (stream) => getReader.call(stream);
export const readFrom = (reader) => read.call(reader);
export const release = (reader) => releaseLock.call(reader);
export const cancelFrom = (reader, reason) => cancelReader.call(reader, reason);
export const cancelStream = (stream, reason) => cancel.call(stream, reason);

// A stream of bytes over `read() -> Promise<Uint8Array | null>`; `cancelSource(reason)` when nobody wants more.
export function bodyStream(readSource, cancelSource) {
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const bytes = await readSource();
      if (bytes === null) {
        close.call(controller);
        controller.byobRequest?.respond(0);
      } else if (bytes.length > 0) {
        enqueue.call(controller, bytes);
      } else {
        await this.pull(controller); // an empty piece says nothing, and a byte stream takes none
      }
    },
    cancel: (reason) => cancelSource?.(reason),
  });
}

// A stream of these bytes.
export function bytesStream(bytes) {
  return new ReadableStream({
    type: "bytes",
    start(controller) {
      if (bytes.length > 0) enqueue.call(controller, bytes);
      close.call(controller);
    },
  });
}

// A stream that was read to its end already; whoever read it holds its lock for ever.
export function usedStream() {
  const stream = bytesStream(new Uint8Array(0));
  cancelReader.call(getReader.call(stream));
  return stream;
}

// Both halves of a body's stream; the second one gets copies of the chunks, so that neither sees what the other does.
export function teeBody(stream) {
  const [first, second] = tee.call(stream);
  const reader = readerOf(second);
  const copied = new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await readFrom(reader);
        if (done) controller.close();
        else controller.enqueue(structuredCloneOf(value));
      },
      cancel: (reason) => cancelFrom(reader, reason),
    },
    { highWaterMark: 0 },
  );
  return [first, copied];
}

const structuredCloneOf = (value) =>
  value instanceof Uint8Array ? value.slice() : require("./structured_clone.js").structuredClone(value);

knowStreams({
  isReadableStream: (value) => value instanceof ReadableStream && "_readableStreamController" in value,
  isDisturbed: (stream) => stream._disturbed,
  isLocked: (stream) => lockedGetter.call(stream),
});

