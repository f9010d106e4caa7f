// fetch: a Request to the host, the host's answer to a Response.
//
// Rule: what the host refuses, and what fails on the way, is a TypeError that says why and carries the host's code.

import { NativeUint8Array, isUint8Array, then } from "./primordials.js";
import { Body, sourceBytes } from "./body.js";
import { isObject, requireArguments } from "./webidl.js";
import { Request, SAME_SIGNAL, requestBody, requestHeaders, requestSignal, requestUrl } from "./request.js";
import { makeResponse } from "./response.js";
import { follow, unfollow } from "./abort.js";

const INLINE_BYTES = 1048576; // a longer body is sent in pieces
const PIECE_BYTES = 262144;
const NULL_BODY = [101, 103, 204, 205, 304];
const streams = () => require("./streams.js");

function toTypeError(error) {
  if (error instanceof TypeError) return error;
  const failure = new TypeError(isObject(error) && error.message ? `fetch: ${error.message}` : "fetch failed");
  failure.cause = error;
  if (isObject(error) && typeof error.code === "string") failure.code = error.code;
  return failure;
}

export function installFetch(host) {
  let numbers = 0;
  const quietly = (promise) => then(promise, undefined, () => {});

  async function fetch(input, init = undefined) {
    requireArguments(arguments.length, 1, "fetch");
    // Nobody else sees this request: a signal of its own would only be kept by the one that it follows
    const request = new Request(input, init, SAME_SIGNAL);
    const signal = requestSignal(request);
    if (signal !== null && signal.aborted) {
      const stream = requestBody(request)?.stream;
      if (stream && !stream.locked) quietly(streams().cancelStream(stream, signal.reason));
      throw signal.reason;
    }
    const url = requestUrl(request);
    if (url.startsWith("data:")) return dataResponse(request, url);
    if (!url.startsWith("http://") && !url.startsWith("https://")) {
      throw new TypeError(`fetch: only http, https and data URLs, not ${url.slice(0, url.indexOf(":") + 1)}`);
    }
    return new Exchange(request, url, signal).run();
  }

  function dataResponse(request, url) {
    const found = require("./data_url.js").readDataUrl(url);
    if (found === null) throw new TypeError("fetch: this data URL can't be read");
    const from = { type: "basic", url: url.split("#")[0], redirected: false };
    const headers = [["content-type", found.type]];
    const body = new Body(request.method === "HEAD" ? "" : found.bytes);
    return makeResponse({ status: 200, statusText: "OK", headers, body, from });
  }

  // One request and its answer; ends when the answer's body has ended.
  class Exchange {
    constructor(request, url, signal) {
      this.request = request;
      this.url = url;
      this.signal = signal;
      this.ids = null; // how the host knows this exchange
      this.controller = null; // of the answer's stream
      this.upload = null; // the reader of the request's stream
      this.abort = null;
    }

    async run() {
      const { signal } = this;
      if (signal === null) return this.answer();
      return new Promise((resolve, reject) => {
        this.abort = (reason) => {
          if (this.ids !== null) quietly(host.call("fetch.cancel", this.ids));
          if (this.upload !== null) quietly(streams().cancelFrom(this.upload, reason));
          this.controller?.error(reason);
          reject(reason);
        };
        follow(signal, this.abort);
        then(this.answer(), resolve, (error) => {
          this.finished();
          reject(error);
        });
      });
    }

    finished() {
      if (this.abort !== null) unfollow(this.signal, this.abort);
    }

    async answer() {
      let reply;
      try {
        reply = await this.ask();
      } catch (error) {
        throw toTypeError(error);
      }
      return this.toResponse(reply);
    }

    ask() {
      const { request } = this;
      const body = requestBody(request);
      const value = {
        method: request.method, url: this.url.split("#")[0], headers: requestHeaders(request),
        redirect: request.redirect, body: null, request: ++numbers,
      };
      this.ids = { request: value.request };
      if (body === null) return host.call("fetch", value);
      if (body.stream === null) {
        const bytes = sourceBytes(body.source);
        body.used = true;
        if (bytes.length <= INLINE_BYTES) {
          value.body = "inline";
          return host.call("fetch", value, bytes);
        }
        body.used = false;
        body.toStream();
      }
      value.body = "stream";
      return this.askWithStream(value, body.stream);
    }

    async askWithStream(value, stream) {
      this.upload = streams().readerOf(stream);
      const { value: opened } = await host.call("fetch.open", value);
      const { id } = opened;
      this.ids = { id };
      const reply = host.call("fetch.response", { id });
      quietly(reply); // it is awaited below; until then a failure must not count as one that nobody handled
      const sent = this.send(id, this.upload);
      try {
        await Promise.race([reply, sent]);
      } catch (error) {
        quietly(streams().cancelFrom(this.upload, error));
        throw error;
      }
      quietly(sent);
      return reply;
    }

    async send(id, reader) {
      try {
        for (;;) {
          const { done, value } = await streams().readFrom(reader);
          if (done) break;
          if (!isUint8Array(value)) throw new TypeError("fetch: a chunk of the request's body is not a Uint8Array");
          for (let at = 0; at < value.length; at += PIECE_BYTES) {
            await host.call("stream.write", { id }, value.subarray(at, at + PIECE_BYTES));
          }
        }
        await host.call("stream.close", { id });
      } catch (error) {
        quietly(host.call("stream.abort", { id, reason: String(error?.message ?? error).slice(0, 1000) }));
        quietly(streams().cancelFrom(reader, error));
        throw error;
      }
    }

    toResponse({ value, bytes }) {
      const { status, statusText, url, redirected, headers, stream } = value;
      let body = null;
      if (stream !== null && stream !== undefined) body = new Body(null, this.stream(stream));
      else {
        this.finished();
        if (!NULL_BODY.includes(status)) body = new Body(bytes ?? new NativeUint8Array(0));
      }
      const from = { type: "basic", url, redirected: Boolean(redirected) };
      return makeResponse({ status, statusText, headers: lowerCase(headers), body, from });
    }

    stream(id) {
      this.ids = { id };
      return new (streams().ReadableStream)({
        type: "bytes",
        start: (controller) => {
          this.controller = controller;
        },
        pull: async (controller) => {
          let reply;
          do {
            try {
              reply = await host.call("stream.read", { id });
            } catch (error) {
              this.finished();
              throw toTypeError(error);
            }
          } while (!reply.value.done && !reply.bytes?.length);
          if (!reply.value.done) controller.enqueue(reply.bytes);
          else {
            this.finished();
            controller.close();
            controller.byobRequest?.respond(0);
          }
        },
        cancel: () => {
          this.finished();
          quietly(host.call("stream.cancel", { id }));
        },
      });
    }
  }

  return fetch;
}

function lowerCase(headers) {
  const list = [];
  for (let i = 0; i < headers.length; i++) list[i] = [headers[i][0].toLowerCase(), headers[i][1]];
  return list;
}
