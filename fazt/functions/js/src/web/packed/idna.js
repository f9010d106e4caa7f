// Packed: evaluated at the first use. See `unpack` in ../packed.js.
export { toASCII } from "tr46";
