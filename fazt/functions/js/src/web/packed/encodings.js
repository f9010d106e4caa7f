// Packed: evaluated at the first use. See `unpack` in ../packed.js.
export { TextDecoder, normalizeEncoding } from "@exodus/bytes/encoding.js";
