// What JSX means where a file names no other library: HTML, made at once. The built-in module "fazt/jsx-runtime".
//
// An element is an Html value; String(html) is its text. Rule: what is not Html is escaped.

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const VOID = new Set("area base br col embed hr img input link meta param source track wbr".split(" "));
const ATTRIBUTES = { className: "class", htmlFor: "for" };
const TAG = /^[A-Za-z][\w.:-]*$/;
const ATTRIBUTE = /^[^\s"'<>/=\0]+$/;

export class Html {
  #text;

  constructor(text) {
    this.#text = text;
  }

  static textOf(value) {
    return value !== null && typeof value === "object" && #text in value ? value.#text : null;
  }

  toString() {
    return this.#text;
  }

  toJSON() {
    return this.#text;
  }
}

/** Return text that is HTML already, to be used as it is. */
export function raw(text) {
  return new Html(String(text));
}

export function Fragment(props) {
  return new Html(textOf(props.children));
}

/** Return the element that a tag or a component with properties is. */
export function jsx(tag, props) {
  if (typeof tag === "function") return new Html(textOf(tag(props)));
  if (typeof tag !== "string" || !TAG.test(tag)) throw new TypeError(`JSX: ${String(tag)} is no element`);
  let text = `<${tag}`;
  for (const name of Object.keys(props)) text += attribute(name, props[name]);
  if (VOID.has(tag)) return new Html(`${text}>`);
  const inner = props.dangerouslySetInnerHTML;
  return new Html(`${text}>${inner == null ? textOf(props.children) : inner.__html}</${tag}>`);
}

export const jsxs = jsx;

/** Return an element as the classic form writes it. */
export function createElement(tag, props, ...children) {
  return jsx(tag, children.length === 0 ? { ...props } : { ...props, children });
}

export const h = createElement;

function attribute(name, value) {
  if (value === false || value == null || typeof value === "function") return "";
  if (name === "children" || name === "key" || name === "ref" || name === "dangerouslySetInnerHTML") return "";
  if (!ATTRIBUTE.test(name)) throw new TypeError(`JSX: ${JSON.stringify(name)} is no name of an attribute`);
  const written = Object.hasOwn(ATTRIBUTES, name) ? ATTRIBUTES[name] : name;
  if (value === true) return ` ${written}`;
  return ` ${written}="${escaped(name === "style" && typeof value === "object" ? style(value) : value)}"`;
}

function style(rules) {
  return Object.keys(rules)
    .filter((name) => rules[name] != null)
    .map((name) => `${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}:${rules[name]}`)
    .join(";");
}

function textOf(value) {
  if (value == null || typeof value === "boolean") return "";
  const html = Html.textOf(value);
  if (html !== null) return html;
  if (typeof value === "string") return escaped(value);
  if (typeof value === "object" && typeof value.then === "function") {
    throw new TypeError("JSX: a child is a promise; await it before it goes into the element");
  }
  if (typeof value === "object" && typeof value[Symbol.iterator] === "function") {
    return Array.from(value, (each) => textOf(each)).join("");
  }
  if (typeof value === "function") throw new TypeError("JSX: a child is a function; call it");
  return escaped(value);
}

function escaped(value) {
  return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character]);
}
