// The entries: how they are kept, checked and read. An entry's key begins with a number that falls as time goes on, so
// that a list, which is in order of keys, has the newest first.

const PREFIX = "entry/";
const FAR_AWAY = 9e15; // milliseconds; no entry is written later
const ID = /^\d{16}-[0-9a-f]{8}$/;

export const PAGE = 10;
export const LONGEST_NAME = 40;
export const LONGEST_TEXT = 500;
export const A_MINUTE = 3; // entries of one address

// What a person may have meant: one line, or lines with no more than one empty one between them; no control characters.
function clean(value, lines) {
  const text = String(value ?? "").toWellFormed().normalize("NFC").replace(/\r\n?/g, "\n").replace(/[^\P{Cc}\n]/gu, "").trim();
  return lines ? text.replace(/\n{3,}/g, "\n\n") : text.replace(/\s+/g, " ");
}

/** Return the entry that a form's fields are, and what is wrong with it ("" where nothing is). */
export function readEntry({ name, text }) {
  const entry = { name: clean(name, false), text: clean(text, true) };
  let problem = "";
  if (!entry.name || entry.name.length > LONGEST_NAME) problem = `Please give a name of up to ${LONGEST_NAME} letters.`;
  else if (!entry.text) problem = "Please write something.";
  else if (entry.text.length > LONGEST_TEXT) problem = `${entry.text.length} letters are too many; ${LONGEST_TEXT} fit.`;
  return { entry, problem };
}

/**
 * Say whether an address may write once more: its counter is forgotten a minute after it began.
 *
 * The address is the one that connects. Where a proxy stands in front of Fazt all visitors share the proxy's.
 */
export async function mayWrite(kv, address) {
  return (await kv.increment(`rate/${address}`, 1, { ttl: 60 })) <= A_MINUTE;
}

export async function addEntry(kv, { name, text }) {
  const at = Date.now();
  const id = `${String(FAR_AWAY - at).padStart(16, "0")}-${crypto.randomUUID().slice(0, 8)}`;
  await kv.set(PREFIX + id, { name, text, at });
  return { id, name, text, at };
}

/** Return a page of entries, the newest first, and the id behind which the next page begins (null: that was all). */
export async function listEntries(kv, after) {
  const cursor = ID.test(after ?? "") ? PREFIX + after : undefined;
  const page = await kv.list({ prefix: PREFIX, limit: PAGE, cursor, values: true });
  const entries = page.items.map(({ key, value }) => ({ id: key.slice(PREFIX.length), ...value }));
  return { entries, next: page.cursor && page.cursor.slice(PREFIX.length) };
}
