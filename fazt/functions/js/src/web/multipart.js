// multipart/form-data both ways (RFC 7578, and the Fetch standard where they differ).
//
// Rule: a body that is not exactly right is refused as a whole; its size and the number of its parts are bounded.

import { NativeUint8Array, joinBytes, subarray } from "./primordials.js";
import { decodeBody } from "./encoding.js";
import { encodeUtf8 } from "./utf8.js";
import { blobBytes, isBlob, makeFile } from "./blob.js";
import { parseMime } from "./mime.js";

const MOST_PARTS = 10000;
const LONGEST_HEAD = 16384;

const escapeName = (text) => text.replace(/\n/g, "%0A").replace(/\r/g, "%0D").replace(/"/g, "%22");
const withCrlf = (text) => text.replace(/\r\n|\r|\n/g, "\r\n");

// The bytes of these entries between this boundary.
export function serializeMultipart(entries, boundary) {
  const pieces = [];
  let total = 0;
  const add = (bytes) => {
    pieces.push(bytes);
    total += bytes.length;
  };
  for (const [name, value] of entries) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escapeName(withCrlf(name))}"`;
    if (isBlob(value)) {
      const type = value.type || "application/octet-stream";
      add(encodeUtf8(`${head}; filename="${escapeName(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`));
      add(blobBytes(value));
      add(encodeUtf8("\r\n"));
    } else {
      add(encodeUtf8(`${head}\r\n\r\n${withCrlf(value)}\r\n`));
    }
  }
  add(encodeUtf8(`--${boundary}--\r\n`));
  return joinBytes(pieces, total);
}

// Where `needle` begins at or after `from`, or -1.
function find(bytes, needle, from) {
  const last = bytes.length - needle.length;
  const first = needle[0];
  for (let at = bytes.indexOf(first, from); at >= 0 && at <= last; at = bytes.indexOf(first, at + 1)) {
    let i = 1;
    while (i < needle.length && bytes[at + i] === needle[i]) i++;
    if (i === needle.length) return at;
  }
  return -1;
}

const CRLF = NativeUint8Array.of(13, 10);
const isCrlf = (bytes, at) => bytes[at] === 13 && bytes[at + 1] === 10;
const isDashes = (bytes, at) => bytes[at] === 45 && bytes[at + 1] === 45;

function wrong(why) {
  return new TypeError(`The body is not multipart/form-data: ${why}`);
}

// Pairs of name and value. Throws a TypeError.
export function parseMultipart(bytes, boundary) {
  const delimiter = encodeUtf8(`--${boundary}`);
  const entries = [];
  let at = 0;
  if (isCrlf(bytes, 0)) at = 2;
  for (;;) {
    if (find(subarray(bytes, at, at + delimiter.length), delimiter, 0) !== 0) throw wrong("a boundary is missing");
    at += delimiter.length;
    if (isDashes(bytes, at)) {
      const rest = bytes.length - at - 2;
      if (rest === 0 || (rest === 2 && isCrlf(bytes, at + 2))) return entries;
      throw wrong("something follows the last boundary");
    }
    if (!isCrlf(bytes, at)) throw wrong("a boundary does not end its line");
    at += 2;
    if (entries.length >= MOST_PARTS) throw wrong(`it has more than ${MOST_PARTS} parts`);
    const head = parseHead(bytes, at);
    at = head.end;
    let end = find(bytes, delimiter, at);
    while (end >= 0 && !(end >= at + 2 && isCrlf(bytes, end - 2))) end = find(bytes, delimiter, end + 1);
    if (end < 0) throw wrong("the last boundary is missing");
    const body = subarray(bytes, at, end - 2);
    at = end;
    if (head.filename === null) entries.push([head.name, decodeBody(body)]);
    else entries.push([head.name, makeFile(body.slice(), head.type ?? "text/plain", head.filename)]);
  }
}

// The lines before a part's body.
function parseHead(bytes, start) {
  let at = start;
  const head = { name: null, filename: null, type: null, end: 0 };
  for (;;) {
    const end = find(bytes, CRLF, at);
    if (end < 0) throw wrong("the head of a part does not end");
    if (end - start > LONGEST_HEAD) throw wrong("the head of a part is too long");
    if (end === at) {
      if (head.name === null) throw wrong("a part has no name");
      head.end = at + 2;
      return head;
    }
    readLine(decodeBody(subarray(bytes, at, end)), head);
    at = end + 2;
  }
}

function readLine(line, head) {
  const colon = line.indexOf(":");
  if (colon <= 0) throw wrong("a line in the head of a part has no colon");
  const field = line.slice(0, colon).trim().toLowerCase();
  const value = line.slice(colon + 1).trim();
  if (field === "content-disposition") {
    const match = /^form-data\s*((?:;\s*[\w*-]+=(?:"[^"]*"|[^;"\s]*)\s*)*);?$/i.exec(value);
    if (match === null) throw wrong("the Content-Disposition of a part can't be read");
    for (const [, key, quoted, bare] of match[1].matchAll(/;\s*([\w*-]+)=(?:"([^"]*)"|([^;"\s]*))/g)) {
      const text = (quoted ?? bare).replace(/%0A/gi, "\n").replace(/%0D/gi, "\r").replace(/%22/g, '"');
      if (key.toLowerCase() === "name") head.name = text;
      else if (key.toLowerCase() === "filename") head.filename = text;
    }
  } else if (field === "content-type") {
    head.type = parseMime(value) === null ? "text/plain" : value.toLowerCase();
  } else if (field === "content-transfer-encoding" && !/^(binary|7bit|8bit)$/i.test(value)) {
    throw wrong(`the transfer encoding ${value.slice(0, 40)} is not known`);
  }
}
