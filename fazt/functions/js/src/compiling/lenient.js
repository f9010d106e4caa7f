// What Sucrase lets pass or drops without a word. Rule: code that would silently be gone or mean something else is an
// error; the tokens are Sucrase's.

import { TokenType } from "sucrase/dist/esm/parser/tokenizer/types.js";
import { Lines, SourceFault } from "./position.js";

/** Refuse namespaces that hold code, and elements whose ends have other names. Raises SourceFault. */
export function checkTokens(source, tokens) {
  const word = (at) => (at >= 0 && at < tokens.length ? source.slice(tokens[at].start, tokens[at].end) : "");
  const refuse = (at, message) => {
    const { line, column } = new Lines(source).positionAt(tokens[at].start);
    throw new SourceFault(message, line, column);
  };
  checkNamespaces(word, tokens, refuse);
  checkElements(word, tokens, refuse);
}

function checkNamespaces(word, tokens, refuse) {
  for (let at = 0; at < tokens.length; at += 1) {
    if (!tokens[at].isType) continue;
    if (word(at) === "declare" && (word(at + 1) === "global" || isNamespace(word, at + 1))) {
      at = closingBrace(word, at, tokens.length);
    } else if (isNamespace(word, at)) {
      refuse(at, "namespaces are not supported: put the code into a module of its own");
    }
  }
}

/** Say whether `namespace a {` or `namespace a.b {` stands here, and not a type or a field of that name. */
function isNamespace(word, at) {
  if (word(at) !== "namespace" && word(at) !== "module") return false;
  if (!/^[\p{ID_Start}$_"']/u.test(word(at + 1)) || ["interface", "type", "class"].includes(word(at - 1))) return false;
  let end = at + 2;
  while (word(end) === ".") end += 2;
  return word(end) === "{";
}

function closingBrace(word, at, length) {
  let depth = 0;
  for (let next = at; next < length; next += 1) {
    if (word(next) === "{") depth += 1;
    else if (word(next) === "}" && (depth -= 1) === 0) return next;
  }
  return length;
}

function checkElements(word, tokens, refuse) {
  const tags = []; // tags that are being read: one may stand in an attribute of another
  const elements = []; // the names of the elements around
  for (let at = 0; at < tokens.length; at += 1) {
    if (tokens[at].type === TokenType.jsxTagStart) {
      const closes = word(at + 1) === "/";
      tags.push({ at, name: nameAt(at + (closes ? 2 : 1), word, tokens), closes });
    } else if (tokens[at].type === TokenType.jsxTagEnd) {
      const tag = tags.pop();
      if (tag === undefined) return;
      if (!tag.closes && word(at - 1) !== "/") elements.push(tag.name);
      if (!tag.closes) continue;
      const opened = elements.pop();
      if (opened !== tag.name) refuse(tag.at, `<${opened ?? ""}> is closed by </${tag.name}>`);
    }
  }
}

/** Return the name of an element: `a`, `a-b`, `a.b.c`, `a:b`, or nothing. */
function nameAt(at, word, tokens) {
  if (tokens[at]?.type !== TokenType.jsxName) return "";
  let end = at + 1;
  while (word(end) === "." || word(end) === ":") end += 2;
  return Array.from({ length: end - at }, (_, next) => word(at + next)).join("");
}
