// Where a text stops being JSON: V8 says it of some faults only.

import { Lines, SourceFault } from "./position.js";

const STRING = /"(?:[^"\\\0-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/.source;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/.source;
const TOKEN = new RegExp(`[ \\t\\r\\n]*(?:([{}[\\],:])|(${STRING})|${NUMBER}|true|false|null)`, "y");
const SPACE = /[ \t\r\n]*/y;

/** Raise SourceFault for a text that JSON.parse refused. */
export function refuseJson(text) {
  const { line, column } = new Lines(text).positionAt(faultOf(text));
  throw new SourceFault("this is not JSON", line, column);
}

/** Return the offset of the first thing that cannot stand where it stands. */
function faultOf(text) {
  const open = []; // "{" and "[" around
  let state = "value"; // value, first (a value or the end), name, firstName, colon, next
  for (let at = 0; ; ) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    SPACE.lastIndex = at;
    const start = at + SPACE.exec(text)[0].length;
    const following = found === null ? null : after(state, found[1] ?? (found[2] ? "string" : "value"), open);
    if (following === null) return start;
    state = following;
    at = TOKEN.lastIndex;
  }
}

/** Return the state behind a token, null where the token cannot stand. */
function after(state, token, open) {
  const wantsValue = state === "value" || state === "first";
  if ((token === "{" || token === "[") && wantsValue) {
    open.push(token);
    return token === "{" ? "firstName" : "first";
  }
  if (token === "]" || token === "}") {
    const fits = state === "next" || state === (token === "]" ? "first" : "firstName");
    if (!fits || open.pop() !== (token === "]" ? "[" : "{")) return null;
    return "next";
  }
  if (token === ",") return state === "next" && open.length > 0 ? (open.at(-1) === "{" ? "name" : "value") : null;
  if (token === ":") return state === "colon" ? "value" : null;
  if (token === "string" && (state === "name" || state === "firstName")) return "colon";
  return wantsValue ? "next" : null;
}
