// Request, and the way in which the kernel makes one for every call.
//
// Rule: what the kernel makes parses no URL, builds no Headers and no AbortSignal before somebody looks at them.

import { toUpperCase } from "./primordials.js";
import { Body, defineBody, extractBody } from "./body.js";
import { fill, fromList, listHas, listOf } from "./headers.js";
import { isObject, requireArguments, toByteString, toDictionary, toUsvString } from "./webidl.js";
import { baseUrl, hrefOf, parseUrl } from "./url.js";
import { abortNow, dependentSignal, isSignal, makeSignal } from "./abort.js";

const SECRET = {}; // whoever has it makes a request of the kernel's parts
export const SAME_SIGNAL = {}; // whoever has it makes a request that shares the signal of what it is made from
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const DEFAULTS = {
  referrer: "about:client", referrerPolicy: "", mode: "cors", credentials: "same-origin", cache: "default",
  redirect: "follow", integrity: "", keepalive: false, duplex: "half",
};
const VALUES = {
  referrerPolicy: [
    "", "no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin",
    "origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url",
  ],
  mode: ["same-origin", "no-cors", "cors", "navigate"],
  credentials: ["omit", "same-origin", "include"],
  cache: ["default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached"],
  redirect: ["follow", "error", "manual"],
  duplex: ["half"],
  priority: ["high", "low", "auto"],
};

export let isRequest;
export let requestBody; // (request) -> Body or null
export let requestHeaders; // (request) -> its pairs
export let requestUrl; // (request) -> the href with its fragment
export let requestSignal; // (request) -> its signal, or null where it has none that could ever abort
export let abortRequest; // (request, reason)

export class Request {
  #method = "GET";
  #url; // the href; of a request from outside, what the kernel gave
  #urlIsRaw = false;
  #headers = null; // Headers
  #list = null; // pairs, as long as there are no Headers
  #body = null;
  #signal = null; // an AbortSignal, a function that gives one, or null
  #options = DEFAULTS;

  constructor(input, init = undefined, how = undefined) {
    if (init === SECRET) {
      this.#method = input.method;
      this.#url = input.url;
      this.#urlIsRaw = true;
      this.#list = input.headers;
      this.#signal = input.signal ?? null;
      const { body } = input;
      if (body !== null && body !== undefined) this.#body = isBytes(body) ? new Body(body) : new Body(null, body);
      return;
    }
    requireArguments(arguments.length, 1, "new Request");
    const options = toDictionary(init, "new Request");
    const from = isRequest(input) ? input : null;
    if (from === null) this.#url = toUrl(toUsvString(input));
    else this.#copy(from);
    const settings = readOptions(options);
    this.#options = mergeOptions(this.#options, settings);
    if (settings.method !== undefined) this.#method = settings.method;
    if (this.#options.mode === "no-cors" && !/^(GET|HEAD|POST)$/.test(this.#method)) {
      throw new TypeError('new Request: mode "no-cors" takes only the methods GET, HEAD and POST');
    }
    const sources = [];
    if (settings.signal !== undefined) {
      if (settings.signal !== null) sources.push(settings.signal);
    } else if (from !== null && from.#signal !== null) {
      sources.push(from.signal);
    }
    if (sources.length > 0) this.#signal = how === SAME_SIGNAL ? sources[0] : dependentSignal(sources);
    this.#headers = fromList([], false);
    if (settings.headers !== undefined) fill(this.#headers, settings.headers, "new Request");
    else if (from !== null) for (const pair of requestHeaders(from)) listOf(this.#headers).push([pair[0], pair[1]]);
    this.#takeBody(settings, from);
  }

  #copy(from) {
    this.#method = from.#method;
    this.#url = requestUrl(from);
    this.#options = from.#options;
  }

  #takeBody(settings, from) {
    const given = settings.body !== undefined && settings.body !== null;
    const inherited = settings.body === undefined && from !== null ? from.#body : null;
    if ((given || inherited !== null) && (this.#method === "GET" || this.#method === "HEAD")) {
      throw new TypeError(`new Request: a ${this.#method} request has no body`);
    }
    if (given) {
      const [body, type] = extractBody(settings.body, "new Request");
      if (body.source === null && settings.duplex === undefined) {
        throw new TypeError('new Request: a body that is a stream needs duplex: "half"');
      }
      this.#body = body;
      const list = listOf(this.#headers);
      if (type !== null && !listHas(list, "content-type")) list.push(["content-type", type]);
    } else if (inherited !== null) {
      if (inherited.unusable) throw new TypeError("new Request: the body was read already, or its stream is locked");
      this.#body = new Body(inherited.source, inherited.stream);
      if (inherited.stream !== null) {
        this.#body.stream = passOn(inherited.stream);
      } else {
        inherited.used = true;
      }
    }
  }

  get method() {
    return this.#method;
  }

  get url() {
    return requestUrl(this);
  }

  get headers() {
    if (this.#headers === null) this.#headers = fromList(this.#list, true);
    return this.#headers;
  }

  get destination() {
    this.#method;
    return "";
  }

  get referrer() {
    return this.#options.referrer;
  }

  get referrerPolicy() {
    return this.#options.referrerPolicy;
  }

  get mode() {
    return this.#options.mode;
  }

  get credentials() {
    return this.#options.credentials;
  }

  get cache() {
    return this.#options.cache;
  }

  get redirect() {
    return this.#options.redirect;
  }

  get integrity() {
    return this.#options.integrity;
  }

  get keepalive() {
    return this.#options.keepalive;
  }

  get isReloadNavigation() {
    this.#method;
    return false;
  }

  get isHistoryNavigation() {
    this.#method;
    return false;
  }

  get signal() {
    if (this.#signal === null) this.#signal = makeSignal();
    else if (typeof this.#signal === "function") this.#signal = this.#signal();
    return this.#signal;
  }

  get duplex() {
    this.#method;
    return "half";
  }

  clone() {
    const body = this.#body;
    if (body !== null && body.unusable) {
      throw new TypeError("clone: the body was read already, or its stream is locked");
    }
    const list = requestHeaders(this).map((pair) => [pair[0], pair[1]]);
    const copy = new Request({ method: this.#method, url: this.#url, headers: list, body: null, signal: null }, SECRET);
    copy.#urlIsRaw = this.#urlIsRaw;
    copy.#options = this.#options;
    if (this.#list === null || this.#headers !== null) copy.#headers = fromList(list, this.#list !== null);
    copy.#signal = dependentSignal([this.signal]);
    if (body !== null) copy.#body = body.clone();
    return copy;
  }

  static {
    isRequest = (value) => isObject(value) && #urlIsRaw in value;
    requestBody = (request) => request.#body;
    requestHeaders = (request) => (request.#headers === null ? request.#list : listOf(request.#headers));
    requestUrl = (request) => {
      if (request.#urlIsRaw) {
        const parts = parseUrl(request.#url);
        if (parts !== null) request.#url = hrefOf(parts);
        request.#urlIsRaw = false;
      }
      return request.#url;
    };
    requestSignal = (request) => (request.#signal === null ? null : request.signal);
    abortRequest = (request, reason) => abortNow(request.signal, reason);
  }
}

const isBytes = (value) => value instanceof Uint8Array;

function passOn(stream) {
  const { TransformStream, ReadableStream } = require("./streams.js");
  return ReadableStream.prototype.pipeThrough.call(stream, new TransformStream());
}

function toUrl(text) {
  const parts = parseUrl(text, baseUrl());
  if (parts === null) {
    const shown = text.slice(0, 200);
    throw new TypeError(`new Request: "${shown}" is not an absolute URL: new URL(path, request.url) makes one`);
  }
  if (parts.username !== "" || parts.password !== "") {
    throw new TypeError("new Request: the URL holds a user name or a password");
  }
  return hrefOf(parts);
}

// The members of RequestInit in the order in which Web IDL reads them.
function readOptions(options) {
  const { body, cache, credentials, duplex, headers, integrity, keepalive, method, mode, priority } = options;
  const { redirect, referrer, referrerPolicy, signal, window } = options;
  const settings = { body, headers, signal };
  const choices = { cache, credentials, duplex, mode, priority, redirect, referrerPolicy };
  for (const name in choices) {
    if (choices[name] === undefined) continue;
    const value = `${choices[name]}`;
    if (!VALUES[name].includes(value)) throw new TypeError(`new Request: ${name} can't be "${value.slice(0, 100)}"`);
    settings[name] = value;
  }
  if (settings.mode === "navigate") throw new TypeError('new Request: mode can\'t be "navigate"');
  if (window !== undefined && window !== null) throw new TypeError("new Request: window can only be null");
  if (method !== undefined) settings.method = toMethod(toByteString(method, "new Request: method"));
  if (integrity !== undefined) settings.integrity = `${integrity}`;
  if (keepalive !== undefined) settings.keepalive = Boolean(keepalive);
  if (referrer !== undefined) settings.referrer = toReferrer(toUsvString(referrer));
  if (signal !== undefined && signal !== null && !isSignal(signal)) {
    throw new TypeError("new Request: signal is not an AbortSignal");
  }
  return settings;
}

function mergeOptions(inherited, settings) {
  let merged = inherited;
  for (const name in DEFAULTS) {
    if (name === "duplex" || settings[name] === undefined || settings[name] === merged[name]) continue;
    if (merged === inherited) merged = { ...inherited };
    merged[name] = settings[name];
  }
  if (merged.cache === "only-if-cached" && merged.mode !== "same-origin") {
    throw new TypeError('new Request: cache "only-if-cached" needs mode "same-origin"');
  }
  return merged;
}

function toMethod(method) {
  if (!TOKEN.test(method)) throw new TypeError(`new Request: "${method.slice(0, 100)}" is not a method`);
  const upper = toUpperCase(method);
  if (upper === "CONNECT" || upper === "TRACE" || upper === "TRACK") {
    throw new TypeError(`new Request: the method ${upper} is not allowed`);
  }
  return /^(DELETE|GET|HEAD|OPTIONS|POST|PUT)$/.test(upper) ? upper : method;
}

function toReferrer(text) {
  if (text === "") return "";
  const base = baseUrl();
  const parts = parseUrl(text, base);
  if (parts === null) throw new TypeError(`new Request: the referrer "${text.slice(0, 200)}" is no URL`);
  const href = hrefOf(parts);
  if (href === "about:client" || base === null) return "about:client";
  const sameOrigin = parts.scheme === base.scheme && parts.host === base.host && parts.port === base.port;
  return sameOrigin ? href : "about:client";
}

defineBody(Request, "Request");

// The request of a call: `headers` are pairs whose names are lower case; `body` is null, bytes or a stream of them;
// `signal` is an AbortSignal, or a function that makes it when somebody looks.
export const makeRequest = (parts) => new Request(parts, SECRET);
