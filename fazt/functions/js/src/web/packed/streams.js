// Packed: evaluated at the first use. See `unpack` in ../packed.js.
export * from "web-streams-polyfill";
