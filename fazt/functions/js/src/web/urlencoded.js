// application/x-www-form-urlencoded: pairs of strings both ways.
//
// Rule: parsing never fails; a percent sign that begins no byte stands for itself.

import { indexOf, slice, uncurry } from "./primordials.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";

const replace = uncurry(String.prototype.replace);
const test = uncurry(RegExp.prototype.test);
const encodeComponent = encodeURIComponent;
const decodeComponent = decodeURIComponent;
const SAFE = /^[A-Za-z0-9*\-._]*$/;
const ESCAPED = { __proto__: null, "%20": "+", "!": "%21", "'": "%27", "(": "%28", ")": "%29", "~": "%7E" };

// Pairs of name and value.
export function parseUrlencoded(text) {
  const pairs = [];
  let start = 0;
  while (start <= text.length) {
    let end = indexOf(text, "&", start);
    if (end < 0) end = text.length;
    if (end > start) {
      const equals = indexOf(text, "=", start);
      const split = equals >= 0 && equals < end ? equals : end;
      pairs[pairs.length] = [decode(slice(text, start, split)), split < end ? decode(slice(text, split + 1, end)) : ""];
    }
    start = end + 1;
  }
  return pairs;
}

function decode(text) {
  if (indexOf(text, "+") >= 0) text = replace(text, /\+/g, " ");
  if (indexOf(text, "%") < 0) return text;
  try {
    return decodeComponent(text);
  } catch {
    return decodeUtf8(percentDecode(encodeUtf8(text))); // a stray "%", or bytes that are not UTF-8
  }
}

const hexDigit = (byte) => {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
};

export function percentDecode(bytes) {
  const decoded = new Uint8Array(bytes.length);
  let at = 0;
  for (let i = 0; i < bytes.length; i++) {
    const high = bytes[i] === 37 && i + 2 < bytes.length ? hexDigit(bytes[i + 1]) : -1;
    const low = high >= 0 ? hexDigit(bytes[i + 2]) : -1;
    if (low >= 0) {
      decoded[at++] = (high << 4) | low;
      i += 2;
    } else {
      decoded[at++] = bytes[i];
    }
  }
  return decoded.subarray(0, at);
}

export function serializeUrlencoded(pairs) {
  let text = "";
  for (let i = 0; i < pairs.length; i++) {
    text += `${i === 0 ? "" : "&"}${encode(pairs[i][0])}=${encode(pairs[i][1])}`;
  }
  return text;
}

function encode(text) {
  if (test(SAFE, text)) return text;
  return replace(encodeComponent(text), /%20|[!'()~]/g, (found) => ESCAPED[found]);
}

