// The files of a folder that was dropped or chosen, and what of it stays at home: the same as with `fazt deploy`.
// Rule: a folder that is left out is never opened.

const ALWAYS = new Set(["node_modules", "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"]);
const IGNORE_FILE = ".faztignore"; // sent along: the server reads it

export function isLeftOut(name) {
  return (name.startsWith(".") && name !== ".well-known") || ALWAYS.has(name.toLowerCase());
}

function isPathLeftOut(path) {
  return path !== IGNORE_FILE && path.split("/").some(isLeftOut);
}

// `files`: [{ path, blob, modified_ms }] and how many names were left out.
class Found {
  constructor(onCount) {
    this.files = [];
    this.leftOut = 0;
    this.onCount = onCount;
  }

  add(path, file) {
    this.files.push({ path, blob: file, modified_ms: file.lastModified });
    if (this.files.length % 100 === 0) this.onCount?.(this.files.length);
  }
}

const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

// One call gives at most 100 entries; an empty one is the end.
async function entriesOf(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}

async function walk(folder, prefix, found) {
  for (const entry of await entriesOf(folder)) {
    const path = prefix + entry.name;
    if (isLeftOut(entry.name) && path !== IGNORE_FILE) found.leftOut += 1;
    else if (entry.isDirectory) await walk(entry, `${path}/`, found);
    else found.add(path, await fileOf(entry));
  }
}

// What a drop holds. Must be called while the drop event is handled: its items are gone afterwards.
// Returns a promise of { name, files, leftOut, archive }: one folder stands for what is in it, one archive for itself.
export function dropped(transfer, onCount) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const loose = [...transfer.files];
  return read(entries, loose, onCount);
}

async function read(entries, loose, onCount) {
  const found = new Found(onCount);
  if (entries.length === 0) return chosen(loose, onCount);
  const [only] = entries;
  if (entries.length === 1 && only.isDirectory) {
    await walk(only, "", found);
    return { name: only.name, files: found.files, leftOut: found.leftOut, archive: null };
  }
  if (entries.length === 1 && isArchive(only.name)) return archive(await fileOf(only));
  for (const entry of entries) {
    if (isLeftOut(entry.name) && entry.name !== IGNORE_FILE) found.leftOut += 1;
    else if (entry.isDirectory) await walk(entry, `${entry.name}/`, found);
    else found.add(entry.name, await fileOf(entry));
  }
  return { name: null, files: found.files, leftOut: found.leftOut, archive: null };
}

// What a file input holds: a folder (`webkitdirectory`), some files, or one archive.
export function chosen(list, onCount) {
  const files = [...list];
  if (files.length === 1 && !files[0].webkitRelativePath && isArchive(files[0].name)) return archive(files[0]);
  const found = new Found(onCount);
  for (const file of files) {
    const path = file.webkitRelativePath ? file.webkitRelativePath.split("/").slice(1).join("/") : file.name;
    if (isPathLeftOut(path)) found.leftOut += 1;
    else found.add(path, file);
  }
  const name = files[0]?.webkitRelativePath?.split("/")[0] || null;
  return { name, files: found.files, leftOut: found.leftOut, archive: null };
}

export function isArchive(name) {
  return /\.(zip|tar|tar\.(gz|bz2|xz)|tgz|tbz2?|txz)$/i.test(name);
}

function archive(file) {
  return { name: file.name, files: [], leftOut: 0, archive: file };
}

export const totalBytes = (files) => files.reduce((sum, file) => sum + file.blob.size, 0);

// Sentences about what may not be meant; none where a folder looks like a site.
export function doubts({ files, archive, name }, limits) {
  if (archive) return [];
  const said = [];
  if (!files.length) return ["There is no file in it, or all of them are left out."];
  const isSite = files.some(({ path }) => /^(static-webapp\/)?index\.html$/.test(path) || path.startsWith("api/"));
  if (!isSite) said.push(`There is no index.html at the top of ${name ? `“${name}”` : "what you dropped"}, so / would answer 404.`);
  if (limits.max_site_files && files.length > limits.max_site_files) {
    said.push(`${files.length.toLocaleString("en")} files are more than the ${limits.max_site_files.toLocaleString("en")} a site may have.`);
  }
  const large = files.find(({ blob }) => limits.max_file_bytes && blob.size > limits.max_file_bytes);
  if (large) said.push(`${large.path} is larger than a file may be (setting max_file_bytes).`);
  if (limits.max_site_bytes && totalBytes(files) > limits.max_site_bytes) {
    said.push("Together they are larger than a site may be (setting max_site_bytes).");
  }
  return said;
}
