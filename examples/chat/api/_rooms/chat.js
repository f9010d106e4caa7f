// Decides who may sit down at the table, and what goes round it. What a page sends is a wish: names, colours and texts
// that the others see are made here.

const NAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._'-]{0,22}[\p{L}\p{N}.]$/u; // 2 to 24 letters
const RESERVED = /^(admin|administrator|moderator|host|fazt|system)$/i;
const RUDE = /\b(blast|darn|drat|heck)\b/giu; // your own list goes here
const LONGEST = 500;

export function onJoin(member) {
  const name = member.name.normalize("NFC").replace(/\s+/g, " ").trim();
  if (!NAME.test(name) || RESERVED.test(name)) return false; // the page is told 4403
  return { name, data: { hue: hueOf(name) } };
}

export function onMessage(message, member) {
  if (typeof message !== "string") return null; // sent to nobody
  const text = message.toWellFormed().replace(/[^\P{Cc}\n]/gu, "").replace(/\n{3,}/g, "\n\n").trim().slice(0, LONGEST);
  if (!text) return null;
  return { text: text.replace(RUDE, (word) => "*".repeat(word.length)), hue: member.data.hue };
}

// The same name has the same colour every day.
function hueOf(name) {
  let hash = 7;
  for (const letter of name.toLowerCase()) hash = (hash * 31 + letter.codePointAt(0)) % 360;
  return hash;
}
