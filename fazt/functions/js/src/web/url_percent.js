// What whatwg-url takes from other packages for encodings: a URL's query is UTF-8 here, always.
//
// Rule: the bundle puts this in their place, so that no table of a legacy encoding comes along.

import { decodeUtf8, encodeUtf8 } from "./utf8.js";

export const utf8Encode = (text) => encodeUtf8(text);
export const utf8DecodeWithoutBOM = (bytes) => decodeUtf8(bytes);

export function percentEncodeAfterEncoding(encoding, input, set, spaceAsPlus = false) {
  const bytes = encodeUtf8(input);
  let text = "";
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    if (spaceAsPlus && byte === 0x20) text += "+";
    else if (byte >= 0x20 && byte <= 0x7e && !set.includes(character)) text += character;
    else text += `%${byte < 16 ? "0" : ""}${byte.toString(16).toUpperCase()}`;
  }
  return text;
}
