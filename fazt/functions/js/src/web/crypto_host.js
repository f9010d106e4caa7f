// The way from crypto.subtle to the host (`fazt/functions/crypto.py` is the other end).
//
// Owns the packing of byte strings into one, the pieces that large ones travel in, and which DOMException a refusal is.
// Rule: nothing that is sent or comes is kept here.

import { copyBytes, joinBytes, NativeUint8Array, subarray } from "./primordials.js";
import { DOMException } from "./dom_exception.js";

const PIECE_BYTES = 1048576; // a frame of the bridge holds two of them

const NAMES = {
  __proto__: null,
  crypto_failed: "OperationError",
  crypto_data_invalid: "DataError",
  crypto_not_supported: "NotSupportedError",
  invalid_input: "OperationError",
};

const NOTHING = new NativeUint8Array(0);

// Returns ask(operation, value, parts) -> {value, bytes}.
export function openHost(host) {
  async function call(operation, value, bytes) {
    try {
      return await host.call(`crypto.${operation}`, value, bytes);
    } catch (error) {
      const name = NAMES[error?.code];
      throw name === undefined ? error : new DOMException(error.message, name);
    }
  }

  // Give the host more than one frame holds, and return the number under which it keeps it.
  async function push(bytes) {
    let id = null;
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      id = (await call("push", { id }, subarray(bytes, at, at + PIECE_BYTES))).value.id;
    }
    return id;
  }

  async function pull(id, size) {
    const bytes = new NativeUint8Array(size);
    for (let at = 0; at < size; ) {
      const piece = (await call("pull", { id })).bytes;
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  return async function ask(operation, value, parts) {
    const lengths = [];
    let total = 0;
    for (let i = 0; i < parts.length; i++) {
      lengths[i] = parts[i].length;
      total += parts[i].length;
    }
    const message = { ...value, lengths };
    let bytes = parts.length === 0 ? undefined : joinBytes(parts, total);
    if (total > PIECE_BYTES) {
      message.pushed = await push(bytes);
      bytes = undefined;
    }
    const answer = await call(operation, message, bytes);
    if (answer.value?.pull !== undefined) {
      return { value: null, bytes: await pull(answer.value.pull, answer.value.size) };
    }
    return { value: answer.value, bytes: answer.bytes ?? NOTHING };
  };
}

// The ArrayBuffer of bytes that are nobody else's, or of a copy.
export function toBuffer(bytes) {
  return bytes.length === bytes.buffer.byteLength && bytes.length > 0 ? bytes.buffer : copyBytes(bytes).buffer;
}
