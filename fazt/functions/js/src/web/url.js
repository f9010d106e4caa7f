// URL and URLSearchParams.
//
// A plain http(s) URL is taken apart by one regular expression; everything else by url_full.js, which is loaded then.
// Rule: the fast path takes only what the whole parser would leave exactly as it is.

import { slice, startsWith, uncurry } from "./primordials.js";
import { defineInterface, definePairIterable, isObject, requireArguments, toPairs, toUsvString } from "./webidl.js";
import { parseUrlencoded, serializeUrlencoded } from "./urlencoded.js";

const full = () => require("./url_full.js");
const exec = uncurry(RegExp.prototype.exec);

// What may stand in each part as it is: everything that the parser would not encode.
const SAFE = String.raw`\w\-.~!$&()*+,;=:@%/|[\]`;
const QUERY_AND_FRAGMENT = String.raw`(\?[${SAFE}?{}^\\` + "`]*)?" + String.raw`(#[${SAFE}'?{}^\\#]*)?$`;
// The last label begins with a letter, so that the host is no IPv4 address.
const HOST = "(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\\.)*[a-z](?:[a-z0-9-]*[a-z0-9])?";

// Scheme, host, port, path, query, fragment.
const PLAIN = new RegExp(`^(https?)://(${HOST})(?::([1-9][0-9]{0,4}))?(/[${SAFE}']*)?${QUERY_AND_FRAGMENT}`);
const DOTS = /\/(?:\.|%2e)/i; // maybe a segment that says "here" or "up"
const PUNYCODE = /(?:^|\.)xn--/;
const DEFAULT_PORT = { __proto__: null, http: "80", https: "443", ws: "80", wss: "443", ftp: "21" };

function parsePlain(input) {
  const match = exec(PLAIN, input);
  if (match === null) return null;
  const scheme = match[1];
  const host = match[2];
  const port = match[3] ?? "";
  const pathname = match[4] ?? "/";
  const query = match[5];
  const fragment = match[6];
  if (exec(DOTS, pathname) !== null || exec(PUNYCODE, host) !== null || +port > 65535) return null;
  const isDefault = port === DEFAULT_PORT[scheme];
  return {
    href: match[4] === undefined || isDefault ? null : input,
    scheme,
    username: "",
    password: "",
    host,
    port: isDefault ? "" : port,
    pathname,
    query: query === undefined ? null : slice(query, 1),
    fragment: fragment === undefined ? null : slice(fragment, 1),
    opaque: false,
  };
}

// A path, perhaps with a query and a fragment, relative to an http(s) URL: as most redirects are written.
const PLAIN_PATH = new RegExp(String.raw`^(/(?![/\\])[${SAFE}']*)${QUERY_AND_FRAGMENT}`);

const isHttp = (parts) => parts.scheme === "http" || parts.scheme === "https";

function parsePlainPath(input, base) {
  if (!isHttp(base)) return null;
  const match = exec(PLAIN_PATH, input);
  if (match === null || exec(DOTS, match[1]) !== null) return null;
  const query = match[2] === undefined ? null : slice(match[2], 1);
  const fragment = match[3] === undefined ? null : slice(match[3], 1);
  return { ...base, href: null, pathname: match[1], query, fragment };
}

// The parts of a URL, or null; `base` are parts too, or null.
export function parseUrl(input, base = null) {
  const plain = parsePlain(input) ?? (base === null ? null : parsePlainPath(input, base));
  return plain ?? full().parse(input, base === null ? null : hrefOf(base));
}

// The parts of an http(s) URL after `url[name] = value`, where the value stays as it is; null where it may not.
function changePlain(parts, name, value) {
  if (!isHttp(parts)) return null;
  if (name === "search") {
    const match = value === "" ? null : exec(PLAIN_PATH, startsWith(value, "?") ? `/${value}` : `/?${value}`);
    if (value !== "" && (match === null || match[3] !== undefined)) return null;
    return { ...parts, href: null, query: match === null ? null : slice(match[2], 1) };
  }
  if (name !== "pathname") return null;
  const match = exec(PLAIN_PATH, value);
  if (match === null || match[2] !== undefined || match[3] !== undefined || exec(DOTS, value) !== null) return null;
  return { ...parts, href: null, pathname: value };
}

export function hrefOf(parts) {
  if (parts.href !== null) return parts.href;
  let href = `${parts.scheme}:`;
  if (parts.host !== null) {
    href += "//";
    if (parts.username !== "" || parts.password !== "") {
      href += parts.password === "" ? `${parts.username}@` : `${parts.username}:${parts.password}@`;
    }
    href += parts.port === "" ? parts.host : `${parts.host}:${parts.port}`;
  } else if (!parts.opaque && startsWith(parts.pathname, "//")) {
    href += "/.";
  }
  href += parts.pathname;
  if (parts.query !== null) href += `?${parts.query}`;
  if (parts.fragment !== null) href += `#${parts.fragment}`;
  parts.href = href;
  return href;
}

function originOf(parts) {
  const { scheme } = parts;
  if (scheme === "blob") {
    const inner = parseUrl(parts.pathname);
    return inner !== null && (inner.scheme === "http" || inner.scheme === "https") ? originOf(inner) : "null";
  }
  if (DEFAULT_PORT[scheme] === undefined) return "null";
  return `${scheme}://${parts.host}${parts.port === "" ? "" : `:${parts.port}`}`;
}

let attach; // (params, url) -> it tells the URL when it changes
let replaceList; // (params, query) -> what it holds, without telling
let setQuery; // (url, query) -> as URLSearchParams says
let pairsOf;

export class URLSearchParams {
  #list = [];
  #url = null;

  constructor(init = "") {
    if (isObject(init)) {
      this.#list = toPairs(init, toUsvString, "new URLSearchParams");
      return;
    }
    const text = toUsvString(init);
    this.#list = parseUrlencoded(startsWith(text, "?") ? slice(text, 1) : text);
  }

  #changed() {
    if (this.#url !== null) setQuery(this.#url, serializeUrlencoded(this.#list));
  }

  get size() {
    return this.#list.length;
  }

  append(name, value) {
    this.#list;
    requireArguments(arguments.length, 2, "URLSearchParams.append");
    this.#list.push([toUsvString(name), toUsvString(value)]);
    this.#changed();
  }

  delete(name, value = undefined) {
    this.#list;
    requireArguments(arguments.length, 1, "URLSearchParams.delete");
    const key = toUsvString(name);
    const wanted = value === undefined ? undefined : toUsvString(value);
    const list = this.#list;
    for (let i = list.length - 1; i >= 0; i--) {
      if (list[i][0] === key && (wanted === undefined || list[i][1] === wanted)) list.splice(i, 1);
    }
    this.#changed();
  }

  get(name) {
    const list = this.#list;
    requireArguments(arguments.length, 1, "URLSearchParams.get");
    const key = toUsvString(name);
    for (let i = 0; i < list.length; i++) if (list[i][0] === key) return list[i][1];
    return null;
  }

  getAll(name) {
    const list = this.#list;
    requireArguments(arguments.length, 1, "URLSearchParams.getAll");
    const key = toUsvString(name);
    const values = [];
    for (let i = 0; i < list.length; i++) if (list[i][0] === key) values.push(list[i][1]);
    return values;
  }

  has(name, value = undefined) {
    const list = this.#list;
    requireArguments(arguments.length, 1, "URLSearchParams.has");
    const key = toUsvString(name);
    const wanted = value === undefined ? undefined : toUsvString(value);
    for (let i = 0; i < list.length; i++) {
      if (list[i][0] === key && (wanted === undefined || list[i][1] === wanted)) return true;
    }
    return false;
  }

  set(name, value) {
    const list = this.#list;
    requireArguments(arguments.length, 2, "URLSearchParams.set");
    const key = toUsvString(name);
    const text = toUsvString(value);
    let found = false;
    for (let i = 0; i < list.length; i++) {
      if (list[i][0] !== key) continue;
      if (found) list.splice(i--, 1);
      else {
        list[i] = [key, text];
        found = true;
      }
    }
    if (!found) list.push([key, text]);
    this.#changed();
  }

  sort() {
    // Array.prototype.sort is stable and compares code units, as the standard wants
    this.#list.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#changed();
  }

  toString() {
    return serializeUrlencoded(this.#list);
  }

  static {
    pairsOf = (params) => params.#list;
    attach = (params, url) => {
      params.#url = url;
    };
    replaceList = (params, query) => {
      const list = query === null ? [] : parseUrlencoded(query);
      params.#list.length = 0; // the same array: somebody may be iterating over it
      for (let i = 0; i < list.length; i++) params.#list[i] = list[i];
    };
  }
}

definePairIterable(URLSearchParams, "URLSearchParams", (params) => pairsOf(params));
defineInterface(URLSearchParams, "URLSearchParams");

export const isUrlSearchParams = (value) => value instanceof URLSearchParams;

function parseArguments(url, base, what) {
  const input = toUsvString(url);
  let baseParts = null;
  if (base !== undefined) {
    const text = toUsvString(base);
    baseParts = parseUrl(text);
    if (baseParts === null) return what === null ? null : fail(`${what}: invalid base URL: ${shorten(text)}`);
  }
  const parts = parseUrl(input, baseParts);
  if (parts === null && what !== null) fail(`${what}: invalid URL: ${shorten(input)}`);
  return parts;
}

function fail(message) {
  const error = new TypeError(message);
  error.code = "ERR_INVALID_URL";
  throw error;
}

const shorten = (text) => (text.length > 200 ? `${slice(text, 0, 200)}...` : text);
const PARSED = {}; // whoever has it hands parts to the constructor

export class URL {
  #parts;
  #params = null;

  constructor(url, base = undefined) {
    requireArguments(arguments.length, 1, "new URL");
    this.#parts = base === PARSED ? url : parseArguments(url, base, "new URL");
  }

  static parse(url, base = undefined) {
    requireArguments(arguments.length, 1, "URL.parse");
    const parts = parseArguments(url, base, null);
    return parts === null ? null : new URL(parts, PARSED);
  }

  static canParse(url, base = undefined) {
    requireArguments(arguments.length, 1, "URL.canParse");
    return parseArguments(url, base, null) !== null;
  }

  #change(name, value) {
    const parts = this.#parts;
    const text = toUsvString(value);
    this.#parts = changePlain(parts, name, text) ?? full().change(hrefOf(parts), name, text);
  }

  get href() {
    return hrefOf(this.#parts);
  }

  set href(value) {
    this.#parts = parseArguments(value, undefined, "URL.href");
    if (this.#params !== null) replaceList(this.#params, this.#parts.query);
  }

  get origin() {
    return originOf(this.#parts);
  }

  get protocol() {
    return `${this.#parts.scheme}:`;
  }

  set protocol(value) {
    this.#change("protocol", value);
  }

  get username() {
    return this.#parts.username;
  }

  set username(value) {
    this.#change("username", value);
  }

  get password() {
    return this.#parts.password;
  }

  set password(value) {
    this.#change("password", value);
  }

  get host() {
    const { host, port } = this.#parts;
    return host === null ? "" : port === "" ? host : `${host}:${port}`;
  }

  set host(value) {
    this.#change("host", value);
  }

  get hostname() {
    return this.#parts.host ?? "";
  }

  set hostname(value) {
    this.#change("hostname", value);
  }

  get port() {
    return this.#parts.port;
  }

  set port(value) {
    this.#change("port", value);
  }

  get pathname() {
    return this.#parts.pathname;
  }

  set pathname(value) {
    this.#change("pathname", value);
  }

  get search() {
    const { query } = this.#parts;
    return query === null || query === "" ? "" : `?${query}`;
  }

  set search(value) {
    const text = toUsvString(value);
    this.#change("search", text);
    if (this.#params !== null) replaceList(this.#params, this.#parts.query);
  }

  get searchParams() {
    const parts = this.#parts;
    if (this.#params === null) {
      this.#params = new URLSearchParams();
      if (parts.query !== null) replaceList(this.#params, parts.query);
      attach(this.#params, this);
    }
    return this.#params;
  }

  get hash() {
    const { fragment } = this.#parts;
    return fragment === null || fragment === "" ? "" : `#${fragment}`;
  }

  set hash(value) {
    this.#change("hash", value);
  }

  toJSON() {
    return hrefOf(this.#parts);
  }

  toString() {
    return hrefOf(this.#parts);
  }

  static {
    setQuery = (url, query) => {
      // A serialised query holds nothing that a URL would encode; an opaque path may end in spaces, which it would.
      if (url.#parts.opaque) url.#change("search", query);
      else {
        url.#parts.query = query === "" ? null : query;
        url.#parts.href = null;
      }
    };
  }
}
defineInterface(URL, "URL");

export const isUrl = (value) => value instanceof URL;

// What `new URL(input).href` would be, or null.
export function normalizeUrl(input, base = null) {
  const parts = parseUrl(input, base);
  return parts === null ? null : hrefOf(parts);
}

let base = null;

// What relative URLs of requests are relative to: nothing on a server, so that they are errors.
export function setBaseUrl(url) {
  base = url === null ? null : parseUrl(url);
}

// The parts of that URL, or null.
export const baseUrl = () => base;
