// Response, and how the kernel takes one apart.
//
// Rule: a Response that was made from a string leaves as that string; nobody makes Headers or a stream for it.

import { jsonStringify, toWellFormed } from "./primordials.js";
import { extractBody, Body, defineBody, sourceBytes } from "./body.js";
import { fill, fromList, listHas, listOf } from "./headers.js";
import { isObject, requireArguments, toByteString, toDictionary, toUnsignedShort, toUsvString } from "./webidl.js";
import { baseUrl, normalizeUrl } from "./url.js";

const SECRET = {};
const REASON = /^[\t\x20-\x7e\x80-\xff]*$/;
const isNullBody = (status) => status === 204 || status === 205 || status === 304 || status === 101 || status === 103;

export let isResponse;
export let responseBody; // (response) -> Body or null
export let responseHeaders; // (response) -> its pairs
export let takeResponse;

export class Response {
  #status = 200;
  #statusText = "";
  #body = null;
  #contentType = null; // of the body, as long as there are no Headers
  #headers = null; // Headers, or null where nobody gave or asked for any
  #from = null; // {type, url, redirected} of a fetched or made response

  constructor(body = null, init = undefined) {
    if (init === SECRET) {
      this.#status = body.status;
      this.#statusText = body.statusText;
      this.#body = body.body;
      this.#headers = body.headers;
      this.#from = body.from;
      return;
    }
    let extracted = null;
    if (body !== null && body !== undefined) extracted = extractBody(body, "new Response");
    this.#start(extracted, init, "new Response");
  }

  #start(extracted, init, what) {
    if (init !== undefined && init !== null) {
      if (!isObject(init)) throw new TypeError(`${what}: the options are not an object`);
      const { headers, status, statusText } = init;
      if (status !== undefined) {
        const code = toUnsignedShort(status);
        if (code < 200 || code > 599) throw new RangeError(`${what}: the status ${status} is not from 200 to 599`);
        this.#status = code;
      }
      if (statusText !== undefined) {
        this.#statusText = toByteString(statusText, `${what}: statusText`);
        if (!REASON.test(this.#statusText)) throw new TypeError(`${what}: statusText holds a control character`);
      }
      if (headers !== undefined) {
        this.#headers = fromList([], false);
        fill(this.#headers, headers, what);
      }
    }
    if (extracted === null) return;
    if (isNullBody(this.#status)) throw new TypeError(`${what}: a response with status ${this.#status} has no body`);
    this.#body = extracted[0];
    const type = extracted[1];
    if (type === null) return;
    if (this.#headers === null) this.#contentType = type;
    else if (!listHas(listOf(this.#headers), "content-type")) listOf(this.#headers).push(["content-type", type]);
  }

  static error() {
    const from = { type: "error", url: "", redirected: false };
    return new Response({ status: 0, statusText: "", body: null, headers: fromList([], true), from }, SECRET);
  }

  static redirect(url, status = 302) {
    requireArguments(arguments.length, 1, "Response.redirect");
    const location = toLocation(toUsvString(url));
    const code = toUnsignedShort(status);
    if (code !== 301 && code !== 302 && code !== 303 && code !== 307 && code !== 308) {
      throw new RangeError(`Response.redirect: ${status} is not the status of a redirect`);
    }
    const headers = fromList([["location", location]], true);
    return new Response({ status: code, statusText: "", body: null, headers, from: null }, SECRET);
  }

  static json(data, init = undefined) {
    requireArguments(arguments.length, 1, "Response.json");
    const text = jsonStringify(data);
    if (text === undefined) throw new TypeError("Response.json: the data can't be written as JSON");
    const response = new Response();
    const extracted = [new Body(toWellFormed(text)), "application/json"];
    response.#start(extracted, toDictionary(init, "Response.json"), "Response.json");
    return response;
  }

  get type() {
    return this.#from === null ? "default" : this.#from.type;
  }

  get url() {
    return this.#from === null ? "" : this.#from.url;
  }

  get redirected() {
    return this.#from !== null && this.#from.redirected;
  }

  get status() {
    return this.#status;
  }

  get ok() {
    return this.#status >= 200 && this.#status <= 299;
  }

  get statusText() {
    return this.#statusText;
  }

  get headers() {
    if (this.#headers === null) {
      this.#headers = fromList(this.#contentType === null ? [] : [["content-type", this.#contentType]], false);
    }
    return this.#headers;
  }

  clone() {
    const body = this.#body;
    if (body !== null && body.unusable) {
      throw new TypeError("clone: the body was read already, or its stream is locked");
    }
    const list = listOf(this.headers).map((pair) => [pair[0], pair[1]]);
    const immutable = this.#from !== null;
    return new Response(
      {
        status: this.#status, statusText: this.#statusText, body: body === null ? null : body.clone(),
        headers: fromList(list, immutable), from: this.#from,
      },
      SECRET,
    );
  }

  static {
    isResponse = (value) => isObject(value) && #contentType in value;
    responseBody = (response) => response.#body;
    responseHeaders = (response) => listOf(response.headers);
    takeResponse = (response) => {
      if (!isResponse(response)) {
        throw new TypeError(`The handler must return a Response, it returned ${describe(response)}`);
      }
      if (response.#status === 0) throw new TypeError("The handler returned Response.error()");
      const body = response.#body;
      const type = response.#contentType;
      return {
        status: response.#status,
        statusText: response.#statusText,
        headers: response.#headers !== null ? listOf(response.#headers) : type === null ? [] : [["content-type", type]],
        body: body === null ? null : takeBody(body),
      };
    };
  }
}

function takeBody(body) {
  if (body.unusable) throw new TypeError("The Response's body was read already, or its stream is locked");
  if (body.stream !== null) return body.stream;
  body.used = true;
  return typeof body.source === "string" ? body.source : sourceBytes(body.source);
}

function describe(value) {
  if (value === null) return "null";
  if (!isObject(value)) return typeof value === "string" ? "a string: return new Response(text)" : `${typeof value}`;
  if (typeof value === "function") return "a function";
  let name = "an object";
  try {
    if (typeof value.then === "function") return "a promise of a promise";
    name = value.constructor?.name ? `an object of class ${value.constructor.name}` : name;
  } catch {
    // a getter that throws: "an object" says enough
  }
  return `${name}: return Response.json(value)`;
}

// A path stays a path, as HTTP allows: the client resolves it.
function toLocation(url) {
  const absolute = normalizeUrl(url, baseUrl());
  if (absolute !== null) return absolute;
  if (/^\/[!-~]*$/.test(url)) return url;
  throw new TypeError(`Response.redirect: "${url.slice(0, 200)}" is neither an absolute URL nor a path`);
}

defineBody(Response, "Response");

// A response that came from outside; its headers can't be changed.
export function makeResponse({ status, statusText, headers, body, from }) {
  return new Response({ status, statusText, body, headers: fromList(headers, true), from }, SECRET);
}
