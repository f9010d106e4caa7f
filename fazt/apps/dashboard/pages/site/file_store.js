// Reads and writes single files of a site. Every write makes a version; it is made on top of the version it was seen in.
// Rule: what somebody else saved meanwhile is never lost unseen: a write that comes too late throws Faster.

import { ApiError, del, get, put, request } from "../../api.js";
import { send } from "../../deploy.js";
import { at, encode, filePath } from "./parts.js";

export const MOST_TEXT_BYTES = 1 << 20;
const IMAGES = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif", webp: "image/webp", avif: "image/avif", svg: "image/svg+xml", ico: "image/x-icon", bmp: "image/bmp" };

export const extensionOf = (path) => path.toLowerCase().split("/").pop().split(".").slice(1).pop() ?? "";
export const imageType = (path) => IMAGES[extensionOf(path)] ?? null;
export const fileUrl = (site, version, path) => `${at(site, "versions", version, "files")}/${filePath(path)}`;

// Somebody's version was live before this write came: `version` is theirs.
export class Faster extends Error {
  constructor(version) {
    super("Somebody else saved meanwhile.");
    this.version = version;
  }
}

// What a file holds: { bytes, text } with text null where it is none; null where there is no such file.
export async function readFile(site, version, path) {
  try {
    const response = await request("GET", fileUrl(site, version, path));
    const blob = await response.blob();
    return { blob, text: blob.size <= MOST_TEXT_BYTES ? await textOf(blob) : null };
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

async function textOf(blob) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await blob.arrayBuffer());
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}

// Put one file into the version that comes after `base` (null: the site has none). `seen`: the text it was made from.
// What is answered has `onto`: the version that it was really put on.
export async function writeFile(site, path, blob, base, seen = undefined) {
  if (base === null) return (await send(site, { files: [{ path, blob, modified_ms: Date.now() }], archive: null }, { message: `Add ${path}` }).done);
  const write = (version) => put(`/sites/${encode(site)}/files/${filePath(path)}`, blob, { headers: { "If-Match": `"${version}"` } });
  return onTop(site, path, base, seen, write);
}

export async function removeFile(site, path, base) {
  const write = (version) => del(`/sites/${encode(site)}/files/${filePath(path)}`, undefined, { headers: { "If-Match": `"${version}"` } });
  return onTop(site, path, base, undefined, write);
}

// A version that left this very file as it was seen is no reason to stop: the write goes on top of it.
async function onTop(site, path, base, seen, write) {
  try {
    return { ...(await write(base)), onto: base };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 412) throw error;
    const version = await get(at(site, "versions", "live"));
    if (seen !== undefined) {
      const theirs = await readFile(site, version.id, path);
      if ((theirs === null ? null : theirs.text) === seen) return { ...(await write(version.id)), onto: version.id };
    }
    throw new Faster(version);
  }
}

// Texts that were not saved yet, by site and path, for as long as the page is open.
const drafts = new Map();
const keyOf = (site, path) => `${site}/${path}`;
export const draftOf = (site, path) => drafts.get(keyOf(site, path)) ?? null;
export const keepDraft = (site, path, draft) => drafts.set(keyOf(site, path), draft);
export const dropDraft = (site, path) => drafts.delete(keyOf(site, path));

addEventListener("beforeunload", (event) => {
  if (drafts.size) event.preventDefault();
});

// The lines that a refusal names: "_redirects:7: the rule …", or details.errors of the API → [{ line, message }].
export function faultsOf(error, path) {
  const told = error?.details?.errors ?? [];
  const found = told.filter((each) => each.file === path && each.line).map(({ line, message }) => ({ line, message }));
  if (found.length) return found;
  return String(error?.message ?? "").split("\n").map((text) => {
    const at = text.match(/^(.+?):(\d+)(?::\d+)?:? (.*)$/);
    return at && (at[1] === path || path.endsWith(`/${at[1]}`)) ? { line: Number(at[2]), message: at[3] } : null;
  }).filter(Boolean);
}
