// Encodings other than UTF-8, by @exodus/bytes.
//
// Rule: loaded only when a script names one.

import source from "packed:encodings";
import { unpack } from "./packed.js";

const { TextDecoder: LegacyDecoder, normalizeEncoding } = unpack(source, "encodings");

export function findEncoding(label) {
  const name = normalizeEncoding(label);
  if (!name || name === "replacement") throw new RangeError(`new TextDecoder: "${label}" is not a known encoding`);
  return name.toLowerCase();
}

// (bytes, stream) -> string, with the state of a stream kept inside.
export function makeDecoder(encoding, fatal, ignoreBOM) {
  const decoder = new LegacyDecoder(encoding, { fatal, ignoreBOM });
  return (bytes, stream) => decoder.decode(bytes, { stream });
}
