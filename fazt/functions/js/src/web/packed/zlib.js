// Packed: evaluated at the first use. See `unpack` in ../packed.js.
export { Deflate, Inflate } from "pako";
