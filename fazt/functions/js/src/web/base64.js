// atob and btoa over V8's own base64.
//
// Rule: what the forgiving decoder of the Infra standard refuses is an InvalidCharacterError.

import { NativeUint8Array, charCodeAt, uncurry } from "./primordials.js";
import { latin1 } from "./utf8.js";
import { requireArguments, toDomString } from "./webidl.js";
import { DOMException } from "./dom_exception.js";

const { fromBase64 } = Uint8Array;
const toBase64 = uncurry(Uint8Array.prototype.toBase64);

// The bytes of forgiving base64, or undefined.
export function decodeBase64(text) {
  try {
    return fromBase64.call(NativeUint8Array, text);
  } catch {
    return undefined;
  }
}

export function atob(data) {
  requireArguments(arguments.length, 1, "atob");
  const bytes = decodeBase64(toDomString(data));
  if (bytes === undefined) throw new DOMException("atob: this is not base64", "InvalidCharacterError");
  return latin1(bytes);
}

export function btoa(data) {
  requireArguments(arguments.length, 1, "btoa");
  const text = toDomString(data);
  const bytes = new NativeUint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = charCodeAt(text, i);
    if (code > 255) throw new DOMException("btoa: a character is above U+00FF", "InvalidCharacterError");
    bytes[i] = code;
  }
  return toBase64(bytes);
}
