// Packed: evaluated at the first use. See `unpack` in ../packed.js.
export { URLPattern } from "urlpattern-polyfill/urlpattern";
