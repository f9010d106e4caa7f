// A tar archive made in the browser: a Blob of headers and of the files themselves, so that no file is read before it is sent.
// Rule: plain ustar where a name fits into it, and a pax header before the file where it does not.

const BLOCK = 512;
const MAX_USTAR_SIZE = 8 ** 11 - 1; // eleven octal digits
const encoder = new TextEncoder();

function octal(value, width) {
  return Math.floor(value).toString(8).padStart(width - 1, "0") + "\0";
}

function header({ name, prefix = "", size, type, modified }) {
  const block = new Uint8Array(BLOCK);
  const put = (text, at) => block.set(encoder.encode(text), at);
  put(name, 0);
  put(octal(0o644, 8), 100);
  put(octal(0, 8), 108);
  put(octal(0, 8), 116);
  put(octal(size, 12), 124);
  put(octal(modified, 12), 136);
  put("        ", 148); // the sum counts its own field as spaces
  put(type, 156);
  put("ustar\0" + "00", 257);
  put(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(sum.toString(8).padStart(6, "0") + "\0 ", 148);
  return block;
}

function padding(size) {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

// How ustar holds a path: { name, prefix }, or null where it cannot.
function split(path) {
  if (!/^[\x20-\x7e]*$/.test(path)) return null;
  if (path.length <= 100) return { name: path, prefix: "" };
  const at = path.lastIndexOf("/", 155);
  if (at <= 0 || path.length - at - 1 > 100 || at === path.length - 1) return null;
  return { name: path.slice(at + 1), prefix: path.slice(0, at) };
}

// One record of a pax header: its own length counts itself.
export function paxRecord(key, value) {
  const rest = encoder.encode(` ${key}=${value}\n`).length;
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

function* parts({ path, blob, modified_ms = 0 }) {
  const modified = Math.min(Math.max(modified_ms / 1000, 0), MAX_USTAR_SIZE);
  const fits = split(path);
  const records = [];
  if (fits === null) records.push(paxRecord("path", path));
  if (blob.size > MAX_USTAR_SIZE) records.push(paxRecord("size", blob.size));
  if (records.length) {
    const data = encoder.encode(records.join(""));
    yield header({ name: "pax", size: data.length, type: "x", modified });
    yield data;
    yield padding(data.length);
  }
  const size = blob.size > MAX_USTAR_SIZE ? 0 : blob.size;
  yield header({ ...(fits ?? { name: "file" }), size, type: "0", modified });
  yield blob;
  yield padding(blob.size);
}

// `files`: [{ path, blob, modified_ms? }], each blob a Blob or File. Returns a Blob of type application/x-tar.
export function tar(files) {
  const all = [];
  for (const file of files) all.push(...parts(file));
  all.push(new Uint8Array(2 * BLOCK));
  return new Blob(all, { type: "application/x-tar" });
}
