// MIME types as the MIME Sniffing standard reads and writes them.
//
// Rule: a type that can't be read is null, never an exception.

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const QUOTED = /^[\t\x20-\x7e\x80-\xff]*$/;

// {essence, parameters: Map}, or null.
export function parseMime(input) {
  const text = input.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  const slash = text.indexOf("/");
  if (slash < 0) return null;
  const type = text.slice(0, slash);
  let at = text.indexOf(";", slash);
  if (at < 0) at = text.length;
  const subtype = text.slice(slash + 1, at).replace(/[\t\n\r ]+$/, "");
  if (!TOKEN.test(type) || !TOKEN.test(subtype)) return null;
  const parameters = new Map();
  while (at < text.length) {
    at++;
    while (at < text.length && "\t\n\r ".includes(text[at])) at++;
    let end = at;
    while (end < text.length && text[end] !== ";" && text[end] !== "=") end++;
    const name = text.slice(at, end).toLowerCase();
    at = end;
    if (text[at] !== "=") continue;
    at++;
    let value;
    if (text[at] === '"') {
      [value, at] = quotedString(text, at);
      while (at < text.length && text[at] !== ";") at++;
    } else {
      end = text.indexOf(";", at);
      if (end < 0) end = text.length;
      value = text.slice(at, end).replace(/[\t\n\r ]+$/, "");
      at = end;
      if (value === "") continue;
    }
    if (TOKEN.test(name) && QUOTED.test(value) && !parameters.has(name)) parameters.set(name, value);
  }
  return { essence: `${type}/${subtype}`.toLowerCase(), parameters };
}

// The value of the quoted string at `start`, and where it ends.
function quotedString(text, start) {
  let value = "";
  let at = start + 1;
  while (at < text.length && text[at] !== '"') {
    if (text[at] === "\\" && at + 1 < text.length) at++;
    value += text[at++];
  }
  return [value, at + 1];
}

export function serializeMime({ essence, parameters }) {
  let text = essence;
  for (const [name, value] of parameters) {
    text += `;${name}=${TOKEN.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`}`;
  }
  return text;
}

// The type that several Content-Type values name together (Fetch, "extract a MIME type"), or null.
export function extractMime(values) {
  let found = null;
  let charset = null;
  for (const value of values) {
    for (const part of splitValue(value)) {
      const type = parseMime(part);
      if (type === null || type.essence === "*/*") continue;
      if (found === null || found.essence !== type.essence) charset = type.parameters.get("charset") ?? null;
      else if (!type.parameters.has("charset") && charset !== null) type.parameters.set("charset", charset);
      found = type;
    }
  }
  return found;
}

// At commas that stand in no quoted string.
function splitValue(value) {
  const parts = [];
  let part = "";
  for (let at = 0; at < value.length; at++) {
    if (value[at] === '"') {
      const [, end] = quotedString(value, at);
      part += value.slice(at, end);
      at = end - 1;
    } else if (value[at] === ",") {
      parts.push(part);
      part = "";
    } else {
      part += value[at];
    }
  }
  parts.push(part);
  return parts;
}
