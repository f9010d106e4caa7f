// Values as text for people: what console.log writes.
//
// Rule: it runs no getter of a script, never throws, and ends: depth, number of elements and length are bounded.

import { blobBytes, isBlob, isFile } from "./blob.js";
import { kindOf } from "./kinds.js";
import { isDomException } from "./dom_exception.js";
import { isHeaders, listOf } from "./headers.js";
import { formEntries, isFormData } from "./form_data.js";
import { isRequest } from "./request.js";
import { isResponse } from "./response.js";
import { isUrl, isUrlSearchParams } from "./url.js";

const DEEPEST = 4;
const MOST_ELEMENTS = 100;
const LONGEST_STRING = 4096;
const LONGEST_TEXT = 8192;
const LONGEST_LINE = 76;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
const MORE = "... (more)";

const { getOwnPropertyDescriptor, getPrototypeOf, prototype: objectPrototype } = Object;
const { ownKeys } = Reflect;
const { isArray } = Array;
const { isView } = ArrayBuffer;
const { isError = (value) => value instanceof Error } = Error;
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const getter = (Class, name) => uncurry(getOwnPropertyDescriptor(Class.prototype, name).get);
const mapSize = getter(Map, "size");
const setSize = getter(Set, "size");
const bufferLength = getter(ArrayBuffer, "byteLength");
const mapForEach = uncurry(Map.prototype.forEach);
const setForEach = uncurry(Set.prototype.forEach);
const dateToIso = uncurry(Date.prototype.toISOString);
const dateTime = uncurry(Date.prototype.getTime);
const regexToString = uncurry(RegExp.prototype.toString);
const regexSource = getter(RegExp, "source");
const functionToString = uncurry(Function.prototype.toString);
const symbolToString = uncurry(Symbol.prototype.toString);

// undefined where the operation of a built-in class does not take the value for one of its own.
function attempt(operation, value) {
  try {
    return operation(value);
  } catch {
    return undefined;
  }
}

// One value, or a format string and its values: %s %d %i %f %j %o %O %c %%.
export function inspect(value, ...values) {
  const state = { room: LONGEST_TEXT, path: [], circular: null };
  let text;
  if (values.length === 0) text = attempt(() => format(value, state, 0, ""), null);
  else text = attempt(() => formatAll(value, values), null);
  return bound(text ?? "[a value that can't be shown]");
}

const bound = (text) => (text.length > LONGEST_TEXT ? text.slice(0, LONGEST_TEXT - MORE.length) + MORE : text);

function formatAll(first, values) {
  const rest = [...values];
  let text = typeof first === "string" ? first : inspect(first);
  if (typeof first === "string") {
    text = first.replace(/%([sdifjoOc%])/g, (whole, kind) => {
      if (kind === "%") return "%";
      if (rest.length === 0) return whole;
      return formatOne(kind, rest.shift());
    });
  }
  for (const value of rest) text += ` ${typeof value === "string" ? value : inspect(value)}`;
  return text;
}

function formatOne(kind, value) {
  const number = () => (typeof value === "object" || typeof value === "symbol" ? NaN : Number(value));
  if (kind === "s") return typeof value === "string" ? value : inspect(value);
  if (kind === "d") return typeof value === "bigint" ? `${value}n` : `${number()}`;
  if (kind === "i") return typeof value === "bigint" ? `${value}n` : `${Math.trunc(number())}`;
  if (kind === "f") return `${number()}`;
  if (kind === "j") return attempt(JSON.stringify, value) ?? "undefined";
  return kind === "c" ? "" : inspect(value);
}

function quote(text) {
  const cut = text.length > LONGEST_STRING;
  const shown = cut ? text.slice(0, LONGEST_STRING) : text;
  const mark = !shown.includes("'") ? "'" : !shown.includes('"') ? '"' : !shown.includes("`") ? "`" : "'";
  const escaped = JSON.stringify(shown).slice(1, -1).replaceAll('\\"', '"');
  const body = mark === '"' ? escaped : escaped.replaceAll(mark, mark === "'" ? "\\'" : mark);
  return mark + body + mark + (cut ? `${MORE.slice(0, 3)} ${text.length - LONGEST_STRING} more characters` : "");
}

function format(value, state, depth, indent) {
  if ((typeof value === "object" && value !== null) || typeof value === "function") {
    return formatNested(value, state, depth, indent);
  }
  const text = formatPrimitive(value, depth);
  state.room -= text.length;
  return text;
}

function formatPrimitive(value, depth) {
  switch (typeof value) {
    case "string":
      return depth === 0 ? value : quote(value);
    case "number":
      return Object.is(value, -0) ? "-0" : `${value}`;
    case "bigint":
      return `${value}n`;
    case "symbol":
      return symbolToString(value);
    default:
      return `${value}`;
  }
}

function formatNested(value, state, depth, indent) {
  if (state.path.includes(value)) {
    state.circular ??= new Map();
    if (!state.circular.has(value)) state.circular.set(value, state.circular.size + 1);
    return `[Circular *${state.circular.get(value)}]`;
  }
  if (state.room <= 0) return "...";
  if (depth > DEEPEST) return isArray(value) ? "[Array]" : `[${className(value) || "Object"}]`;
  state.path.push(value);
  const text = formatObject(value, state, depth, indent);
  state.path.pop();
  const mark = state.circular?.get(value);
  state.room -= 8; // brackets and the like; what stands between them was counted where it was written
  return mark === undefined ? text : `<ref *${mark}> ${text}`;
}

// The name of an object's class, found without running code of the script.
function className(value) {
  let prototype = value;
  for (let i = 0; i < 20 && prototype !== null; i++) {
    const property = getOwnPropertyDescriptor(prototype, "constructor");
    const name = property !== undefined && typeof property.value === "function" && property.value.name;
    if (typeof name === "string" && name !== "") return name;
    prototype = getPrototypeOf(prototype);
  }
  return "";
}

function tagOf(value, name) {
  const property = getOwnPropertyDescriptor(value, Symbol.toStringTag);
  const tag = property?.value;
  return typeof tag === "string" && tag !== name ? ` [${tag}]` : "";
}

function formatObject(value, state, depth, indent) {
  const name = getPrototypeOf(value) === null ? "[Object: null prototype]" : className(value);
  if (isArray(value)) {
    return formatArray(value, name === "Array" ? "" : `${name}(${value.length}) `, state, depth, indent);
  }
  if (typeof value === "function") return formatFunction(value, state, depth, indent);
  if (isError(value) || isDomException(value)) return formatError(value, state, depth, indent);
  if (getPrototypeOf(value) === objectPrototype) return formatPlain(value, name, state, depth, indent);
  const special = formatSpecial(value, name, state, depth, indent);
  if (special !== undefined) return special;
  return formatPlain(value, name, state, depth, indent);
}

function formatPlain(value, name, state, depth, indent) {
  const prefix = name === "Object" ? "" : `${name}${tagOf(value, name)} `;
  return wrap(prefix, "{", properties(value, state, depth, indent), "}", indent);
}

function formatSpecial(value, name, state, depth, indent) {
  const kind = isView(value) ? "TypedArray" : kindOf(value);
  const show = kind === undefined ? undefined : SPECIAL[kind];
  const text = show === undefined ? undefined : show(value, name, state, depth, indent);
  return text === undefined ? formatPlatform(value, name, state, depth, indent) : text;
}

function some(list, each) {
  const shown = list.slice(0, MOST_ELEMENTS).map(each);
  if (list.length > MOST_ELEMENTS) shown.push(`... ${list.length - MOST_ELEMENTS} more`);
  return shown;
}

// What an object of each class shows; undefined where it is not one after all.
const SPECIAL = {
  TypedArray(value, name, state, depth, indent) {
    if (typeof value.length !== "number") return undefined;
    return formatArray(value, `${name}(${value.length}) `, state, depth, indent);
  },
  Map(value, name, state, depth, indent) {
    const size = attempt(mapSize, value);
    if (size === undefined) return undefined;
    const inner = `${indent}  `;
    const pairs = [];
    mapForEach(value, (item, key) => pairs.push([key, item]));
    const show = ([key, item]) => `${format(key, state, depth + 1, inner)} => ${format(item, state, depth + 1, inner)}`;
    return wrap(`${name}(${size}) `, "{", some(pairs, show), "}", indent);
  },
  Set(value, name, state, depth, indent) {
    const size = attempt(setSize, value);
    if (size === undefined) return undefined;
    const items = [];
    setForEach(value, (item) => items.push(item));
    const shown = some(items, (item) => format(item, state, depth + 1, `${indent}  `));
    return wrap(`${name}(${size}) `, "{", shown, "}", indent);
  },
  Date(value) {
    return attempt(dateTime, value) === undefined ? undefined : (attempt(dateToIso, value) ?? "Invalid Date");
  },
  RegExp: (value) => (attempt(regexSource, value) === undefined ? undefined : attempt(regexToString, value)),
  ArrayBuffer(value, name) {
    const bytes = attempt(bufferLength, value);
    return bytes === undefined ? undefined : `${name} { byteLength: ${bytes} }`;
  },
  Promise: (value, name) => `${name} {}`,
  WeakMap: (value, name) => `${name} { <items unknown> }`,
  WeakSet: (value, name) => `${name} { <items unknown> }`,
};
for (const Class of [String, Number, Boolean, BigInt, Symbol]) {
  const valueOf = uncurry(Class.prototype.valueOf);
  SPECIAL[Class.name] = (value, name, state, depth, indent) => {
    const primitive = attempt(valueOf, value);
    return primitive === undefined ? undefined : `[${Class.name}: ${format(primitive, state, depth + 1, indent)}]`;
  };
}

// Objects of the web show what their accessors would say.
function formatPlatform(value, name, state, depth, indent) {
  const inner = `${indent}  `;
  const pairs = (list) => {
    const show = ([key, item]) => `${quote(key)} => ${format(item, state, depth + 1, inner)}`;
    return wrap(`${name} `, "{", some(list, show), "}", indent);
  };
  const fields = (...names) =>
    wrap(`${name} `, "{", names.map((key) => `${key}: ${format(value[key], state, depth + 1, inner)}`), "}", indent);
  if (isHeaders(value)) return pairs(listOf(value));
  if (isFormData(value)) return pairs(formEntries(value));
  if (isUrlSearchParams(value)) return pairs([...URLSearchParams.prototype.entries.call(value)]);
  if (isUrl(value)) return `${name} { ${quote(value.href)} }`;
  if (isFile(value)) return fields("name", "size", "type", "lastModified");
  if (isBlob(value)) return `${name} { size: ${blobBytes(value).length}, type: ${quote(value.type)} }`;
  if (isRequest(value)) return fields("method", "url", "headers", "bodyUsed");
  if (isResponse(value)) return fields("status", "statusText", "headers", "bodyUsed", "url", "redirected", "type");
  return undefined;
}

function formatArray(array, prefix, state, depth, indent) {
  const inner = `${indent}  `;
  const items = [];
  const { length } = array;
  let holes = 0;
  const flush = () => {
    if (holes > 0) items.push(`<${holes} empty item${holes === 1 ? "" : "s"}>`);
    holes = 0;
  };
  let index = 0;
  const view = isView(array);
  for (; index < length && items.length < MOST_ELEMENTS && state.room > 0; index++) {
    const property = getOwnPropertyDescriptor(array, index);
    if (property === undefined) {
      holes++;
      if (holes > 10000) {
        holes += length - index - 1; // a huge sparse array is not walked to its end
        index = length - 1;
      }
      continue;
    }
    flush();
    items.push(showProperty(property, state, depth, inner));
  }
  flush();
  if (index < length) items.push(`... ${length - index} more item${length - index === 1 ? "" : "s"}`);
  if (!view) items.push(...properties(array, state, depth, indent, true));
  return wrap(prefix, "[", items, "]", indent);
}

function formatFunction(value, state, depth, indent) {
  const name = getOwnPropertyDescriptor(value, "name")?.value;
  const isClass = attempt(functionToString, value)?.startsWith("class") ?? false;
  const label = typeof name === "string" && name !== "" ? `: ${name}` : " (anonymous)";
  const kind = isClass ? "class" : className(value) || "Function";
  const text = `[${isClass ? label.replace(": ", "class ").replace(" (", "class (") : kind + label}]`;
  const own = properties(value, state, depth, indent);
  return own.length === 0 ? text : wrap(`${text} `, "{", own, "}", indent);
}

function formatError(error, state, depth, indent) {
  const stack = getOwnPropertyDescriptor(error, "stack");
  const isDom = isDomException(error);
  const said = isDom ? `${error.name}: ${error.message}` : attempt(() => Error.prototype.toString.call(error));
  // `stack` of V8 is an accessor of its own, which runs no code of the script
  let text = stack !== undefined ? attempt(() => `${error.stack}`) : undefined;
  if (text === undefined || text === "" || text === "undefined") text = said ?? "[error]";
  else if (isDom && !text.startsWith(said)) text = text.replace(/^[^\n]*/, () => said);
  if (indent !== "") text = text.replaceAll("\n", `\n${indent}`);
  const inner = `${indent}  `;
  const own = properties(error, state, depth, indent).filter((line) => !/^(stack|message):/.test(line));
  const cause = getOwnPropertyDescriptor(error, "cause");
  if (cause !== undefined && !cause.enumerable && "value" in cause) {
    own.push(`[cause]: ${format(cause.value, state, depth + 1, inner)}`);
  }
  const errors = getOwnPropertyDescriptor(error, "errors");
  if (errors !== undefined && !errors.enumerable && "value" in errors) {
    own.push(`[errors]: ${format(errors.value, state, depth + 1, inner)}`);
  }
  state.room -= text.length;
  return own.length === 0 ? text : `${text} {\n${inner}${own.join(`,\n${inner}`)}\n${indent}}`;
}

function showProperty(property, state, depth, inner) {
  if ("value" in property) return format(property.value, state, depth + 1, inner);
  if (property.get === undefined) return "[Setter]";
  return property.set === undefined ? "[Getter]" : "[Getter/Setter]";
}

function properties(value, state, depth, indent, skipIndexes = false) {
  const inner = `${indent}  `;
  const lines = [];
  const keys = ownKeys(value);
  for (let i = 0; i < keys.length && state.room > 0; i++) {
    const key = keys[i];
    if (skipIndexes && typeof key === "string" && /^\d+$/.test(key)) {
      if (i > MOST_ELEMENTS) break;
      continue;
    }
    const property = getOwnPropertyDescriptor(value, key);
    if (property === undefined || !property.enumerable) continue;
    if (lines.length >= MOST_ELEMENTS) {
      lines.push(`... ${keys.length - i} more`);
      break;
    }
    const label = typeof key === "symbol" ? `[${symbolToString(key)}]` : IDENTIFIER.test(key) ? key : quote(key);
    lines.push(`${label}: ${showProperty(property, state, depth, inner)}`);
  }
  return lines;
}

// On one line if it fits, else one element a line.
function wrap(prefix, open, items, close, indent) {
  if (items.length === 0) return `${prefix}${open}${close}`;
  let length = prefix.length + indent.length;
  let isMultiline = false;
  for (const item of items) {
    length += item.length + 2;
    if (item.includes("\n")) isMultiline = true;
  }
  if (!isMultiline && length <= LONGEST_LINE) {
    return open === "[" ? `${prefix}[ ${items.join(", ")} ]` : `${prefix}{ ${items.join(", ")} }`;
  }
  const inner = `\n${indent}  `;
  return `${prefix}${open}${inner}${items.join(`,${inner}`)}\n${indent}${close}`;
}
