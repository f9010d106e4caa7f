// Numbers, sizes and times as people read them.
const plain = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const moment = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });
const day = new Intl.DateTimeFormat("en", { month: "short", day: "numeric" });

export const count = (value) => (value === null || value === undefined ? "–" : plain.format(value));
export const compact = (value) => (value < 10000 ? plain.format(value) : short.format(value));
export const dayOf = (at) => day.format(new Date(at));
export const momentOf = (at) => (at ? moment.format(new Date(at)) : "never");

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  return value >= 1000 ? `${(value / 1000).toFixed(1)} s` : value >= 10 ? `${Math.round(value)} ms` : `${value.toFixed(1)} ms`;
}

const STEPS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];

export function ago(at) {
  if (!at) return "never";
  const seconds = (new Date(at) - Date.now()) / 1000;
  for (const [unit, length] of STEPS) if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  return Math.abs(seconds) < 20 ? "just now" : relative.format(Math.round(seconds), "second");
}

export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
export const shortId = (id) => (id ? id.slice(0, 8) : "–");
// A link is one only where it leads over http(s): a site's own field could say anything else.
export const safeUrl = (url) => (/^https?:\/\//i.test(url ?? "") ? url : undefined);

// The sites that somebody may touch, as they are typed and shown; null: all.
export const sitesOf = (text) => (text.trim() === "" ? null : text.split(/[\s,]+/).filter(Boolean));
export const namesOf = (sites) => (sites === null ? "all" : sites.join(", "));
