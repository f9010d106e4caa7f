// UTF-8 both ways, and Latin-1 to strings: in JavaScript, since bare V8 has no coder of its own.
//
// Rule: what is not UTF-8 becomes U+FFFD exactly as the Encoding standard says, or throws where it is fatal.

import { NativeUint8Array, apply, fromCharCode } from "./primordials.js";

const PIECE = 4096; // arguments of one call; far more would overflow the stack

// `text.charCodeAt(i)` stands here as it is: held in a constant and called from there it is half as fast.

// Each byte as one character.
export function latin1(bytes) {
  return latin1Range(bytes, 0, bytes.length);
}

function latin1Range(bytes, start, end) {
  let text = "";
  let i = start;
  if (end - start >= 64) {
    for (; i + 8 <= end; i += 8) {
      text += fromCharCode(
        bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3], bytes[i + 4], bytes[i + 5], bytes[i + 6], bytes[i + 7],
      );
    }
  }
  for (; i < end; i++) text += fromCharCode(bytes[i]);
  return text;
}

// Where the first byte above 127 stands, or the end.
function asciiUntil(bytes, start) {
  const { length } = bytes;
  let i = start;
  for (; i + 8 <= length; i += 8) {
    const any =
      bytes[i] | bytes[i + 1] | bytes[i + 2] | bytes[i + 3] | bytes[i + 4] | bytes[i + 5] | bytes[i + 6] | bytes[i + 7];
    if (any > 127) break;
  }
  while (i < length && bytes[i] < 128) i++;
  return i;
}

// The string of these bytes; a byte order mark is a character like any other. Throws where `fatal`.
export function decodeUtf8(bytes, fatal = false) {
  const ascii = asciiUntil(bytes, 0);
  const head = latin1Range(bytes, 0, ascii);
  return ascii === bytes.length ? head : head + decodeFrom(bytes, ascii, fatal);
}

function decodeFrom(bytes, start, fatal) {
  const { length } = bytes;
  let text = "";
  let units = [];
  let i = start;
  while (i < length) {
    if (units.length >= PIECE) {
      text += apply(fromCharCode, null, units);
      units = [];
    }
    const byte = bytes[i++];
    if (byte < 0x80) {
      units[units.length] = byte;
      continue;
    }
    let needed = 0;
    let lower = 0x80;
    let upper = 0xbf;
    let point = 0;
    if (byte >= 0xc2 && byte <= 0xdf) {
      needed = 1;
      point = byte & 0x1f;
    } else if (byte >= 0xe0 && byte <= 0xef) {
      needed = 2;
      point = byte & 0xf;
      if (byte === 0xe0) lower = 0xa0;
      else if (byte === 0xed) upper = 0x9f; // half of a surrogate pair is no character
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      needed = 3;
      point = byte & 0x7;
      if (byte === 0xf0) lower = 0x90;
      else if (byte === 0xf4) upper = 0x8f;
    }
    const whole = needed > 0;
    while (needed > 0 && i < length && bytes[i] >= lower && bytes[i] <= upper) {
      point = (point << 6) | (bytes[i++] & 0x3f);
      lower = 0x80;
      upper = 0xbf;
      needed--;
    }
    if (!whole || needed > 0) {
      if (fatal) throw new TypeError("The bytes are not UTF-8");
      units[units.length] = 0xfffd;
    } else if (point < 0x10000) {
      units[units.length] = point;
    } else {
      units[units.length] = 0xd7c0 + (point >> 10);
      units[units.length] = 0xdc00 + (point & 0x3ff);
    }
  }
  return text + apply(fromCharCode, null, units);
}

// How many bytes at the end are the beginning of a character that is not complete.
export function unfinished(bytes) {
  const { length } = bytes;
  for (let back = 1; back <= 3 && back <= length; back++) {
    const byte = bytes[length - back];
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue; // goes on something earlier
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    if (byte < 0xc2 || byte > 0xf4 || back >= needed) return 0;
    if (back >= 2) {
      const second = bytes[length - back + 1];
      if (byte === 0xe0 && second < 0xa0) return 0;
      if (byte === 0xed && second > 0x9f) return 0;
      if (byte === 0xf0 && second < 0x90) return 0;
      if (byte === 0xf4 && second > 0x8f) return 0;
    }
    return back;
  }
  return 0;
}

export function utf8Length(text) {
  const { length } = text;
  let bytes = length;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    bytes += code < 0x800 ? 1 : 2;
    if (code >= 0xd800 && code < 0xdc00 && i + 1 < length && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) i++;
  }
  return bytes;
}

export function encodeUtf8(text) {
  const { length } = text;
  const ascii = new NativeUint8Array(length);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) {
      const bytes = new NativeUint8Array(utf8Length(text));
      encodeInto(text, bytes);
      return bytes;
    }
    ascii[i] = code;
  }
  return ascii;
}

// Write as many whole characters as fit; how many units were read and bytes written.
export function encodeInto(text, bytes) {
  const { length } = text;
  const room = bytes.length;
  let at = 0;
  let i = 0;
  for (; i < length; i++) {
    let code = text.charCodeAt(i);
    if (code < 0x80) {
      if (at >= room) break;
      bytes[at++] = code;
      continue;
    }
    let units = 1;
    if (code >= 0xd800 && code < 0xe000) {
      const low = code < 0xdc00 && i + 1 < length ? text.charCodeAt(i + 1) : 0;
      if ((low & 0xfc00) === 0xdc00) {
        code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
        units = 2;
      } else {
        code = 0xfffd;
      }
    }
    const size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (at + size > room) break;
    if (size === 2) bytes[at++] = 0xc0 | (code >> 6);
    else if (size === 3) bytes[at++] = 0xe0 | (code >> 12);
    else {
      bytes[at++] = 0xf0 | (code >> 18);
      bytes[at++] = 0x80 | ((code >> 12) & 0x3f);
    }
    if (size > 2) bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
    bytes[at++] = 0x80 | (code & 0x3f);
    i += units - 1;
  }
  return { read: i, written: at };
}

