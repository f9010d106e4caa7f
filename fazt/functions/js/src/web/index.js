// Installs the web standards on the global object of a fresh isolate, and gives the kernel what no script may have.
//
// Rule: what most functions never use (streams, URL patterns, forms, legacy encodings, compression) is loaded by the
// first look at it, so that an isolate starts fast; `host` stays in closures.

import { defineProperty, getOwnPropertyDescriptor, then } from "./primordials.js";
import { AbortController, AbortSignal } from "./abort.js";
import { atob, btoa } from "./base64.js";
import { Blob, File } from "./blob.js";
import { knowOwners, setRandom } from "./body.js";
import { installCrypto } from "./crypto.js";
import { DOMException } from "./dom_exception.js";
import { TextDecoder, TextEncoder } from "./encoding.js";
import { CustomEvent, ErrorEvent, Event, EventTarget, setClock } from "./events.js";
import { installFetch } from "./fetch.js";
import { FormData } from "./form_data.js";
import { Headers, contentTypes } from "./headers.js";
import { reportException, setErrorReporter } from "./reporting.js";
import { Request, abortRequest, isRequest, makeRequest, requestBody, requestHeaders } from "./request.js";
import { Response, isResponse, responseBody, responseHeaders, takeResponse } from "./response.js";
import { URL, URLSearchParams, setBaseUrl } from "./url.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";
import { requireArguments } from "./webidl.js";

const STREAMS = [
  "ByteLengthQueuingStrategy", "CountQueuingStrategy", "ReadableByteStreamController", "ReadableStream",
  "ReadableStreamBYOBReader", "ReadableStreamBYOBRequest", "ReadableStreamDefaultController",
  "ReadableStreamDefaultReader", "TransformStream", "TransformStreamDefaultController", "WritableStream",
  "WritableStreamDefaultController", "WritableStreamDefaultWriter",
];

function define(name, value) {
  if (typeof value === "function" && value.name !== name) {
    defineProperty(value, "name", { value: name, configurable: true }); // the bundle's own names are short
  }
  defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
}

// A global whose module is loaded by the first look at it.
function defineLazy(names, load) {
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    defineProperty(globalThis, name, {
      get() {
        const value = load()[name];
        // Somebody may have put something else there while it was being loaded
        if (getOwnPropertyDescriptor(globalThis, name)?.get !== undefined) define(name, value);
        return value;
      },
      set(value) {
        define(name, value);
      },
      configurable: true,
      enumerable: false,
    });
  }
}

export function installWeb(host) {
  const random = (count) => host.random(count);
  setRandom(random);
  setClock(() => host.now());
  knowOwners(bodyOf, typeOf);

  const eager = {
    AbortController, AbortSignal, Blob, CustomEvent, DOMException, ErrorEvent, Event, EventTarget, File, FormData,
    Headers, Request, Response, TextDecoder, TextEncoder, URL, URLSearchParams, atob, btoa,
    fetch: installFetch(host),
    queueMicrotask: (callback) => queueTask(callback),
    reportError(error) {
      requireArguments(arguments.length, 1, "reportError");
      reportException(error);
    },
    structuredClone(value, options = undefined) {
      requireArguments(arguments.length, 1, "structuredClone");
      return require("./structured_clone.js").structuredClone(value, options);
    },
  };
  for (const name in eager) define(name, eager[name]);

  defineLazy(STREAMS, () => require("./streams.js"));
  defineLazy(["TextDecoderStream", "TextEncoderStream"], () => require("./encoding_streams.js"));
  defineLazy(["CompressionStream", "DecompressionStream"], () => require("./compression.js"));
  defineLazy(["URLPattern"], () => require("./url_pattern.js"));
  defineLazy(["performance", "Performance"], () => require("./performance.js").makePerformance(host));
  defineLazy(["navigator", "Navigator"], () => require("./navigator.js"));
  installCrypto(host);

  return {
    makeRequest,
    takeResponse,
    abortRequest,
    bodyStream: (read, cancel) => require("./streams.js").bodyStream(read, cancel),
    encodeUtf8,
    decodeUtf8: (bytes) => decodeUtf8(bytes),
    inspect: (...values) => require("./inspect.js").inspect(...values),
    structuredClone: (value, options) => require("./structured_clone.js").structuredClone(value, options),
    setBaseUrl,
    setErrorReporter,
  };
}

function bodyOf(owner) {
  if (isRequest(owner)) return requestBody(owner);
  if (isResponse(owner)) return responseBody(owner);
  throw new TypeError("This is neither a Request nor a Response");
}

// The parsed Content-Type of a request or a response, or null.
function typeOf(owner) {
  const list = isRequest(owner) ? requestHeaders(owner) : responseHeaders(owner);
  return require("./mime.js").extractMime(contentTypes(list));
}

const resolved = Promise.resolve();

function queueTask(callback) {
  if (typeof callback !== "function") throw new TypeError("queueMicrotask: the argument is not a function");
  then(resolved, () => {
    try {
      callback();
    } catch (error) {
      reportException(error);
    }
  });
}
