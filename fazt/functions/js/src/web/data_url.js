// data: URLs (Fetch standard, "data: URL processor").
//
// Rule: what can't be read is null.

import { latin1, encodeUtf8 } from "./utf8.js";
import { decodeBase64 } from "./base64.js";
import { parseMime, serializeMime } from "./mime.js";
import { percentDecode } from "./urlencoded.js";

// {type, bytes} of a URL that parsed, or null.
export function readDataUrl(url) {
  const input = url.split("#")[0].slice("data:".length);
  const comma = input.indexOf(",");
  if (comma < 0) return null;
  let type = input.slice(0, comma).replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, "");
  let bytes = percentDecode(encodeUtf8(input.slice(comma + 1)));
  if (/; *base64$/i.test(type)) {
    bytes = decodeBase64(latin1(bytes)) ?? null;
    if (bytes === null) return null;
    type = type.replace(/; *base64$/i, "");
  }
  if (type.startsWith(";")) type = `text/plain${type}`;
  const parsed = parseMime(type);
  return { type: parsed === null ? "text/plain;charset=US-ASCII" : serializeMime(parsed), bytes };
}
