// From a request to the handler of its module and back: methods, middleware, and the answer's body.
//
// Rule: what a handler throws or returns wrongly is the call's failure, never the isolate's.

import { Kind } from "./wire.js";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const INLINE_BYTES = 1048576; // a longer body goes out in pieces
const PIECE_BYTES = 262144;

// Answer a request: value {module, middleware, params, method, url, headers, body, stream, id}.
export async function runHttp({ call, value, bytes, program, host, web, wire, resume }) {
  const { loader } = program;
  const body = value.body === "stream" ? requestStream(host, web, value.stream) : (bytes ?? null);
  let request = web.makeRequest({
    method: value.method, url: value.url, headers: value.headers, body, signal: lazySignal(call),
  });
  const context = makeContext({ call, value, program, host });
  const steps = value.middleware.map((path) => middlewareOf(loader.load(path), path, value.method)).flat();
  steps.push((request, context) => callHandler(loader.load(value.module), value, request, context));

  async function run(at) {
    const step = steps[at];
    const own = Object.create(context, {
      request: { value: request, enumerable: true },
      next: {
        value: (replaced) => {
          if (replaced !== undefined) request = replaced;
          return run(at + 1);
        },
        enumerable: true,
      },
    });
    return step(request, own);
  }

  const response = web.takeResponse(await run(0));
  resume(call);
  await sendResponse({ call, response, host, web, wire, resume });
}

// Run one export of a module with arguments that are JSON; its value is the result.
export async function runExport({ call, value, program, host, wire, resume }) {
  const found = program.loader.load(value.module)[value.export];
  if (typeof found !== "function") {
    wire.write(Kind.RESULT, call.id, 0, { missing: true });
    return;
  }
  const context = makeContext({ call, value, program, host });
  const result = await found(...value.arguments, context);
  resume(call);
  wire.write(Kind.RESULT, call.id, 0, { value: result === undefined ? null : result, undefined: result === undefined });
}

function makeContext({ call, value, program, host }) {
  const context = {
    params: value.params ?? {},
    env: program.env,
    fazt: program.fazt,
    id: value.id,
    ip: value.ip ?? null,
    version: value.version,
    waitUntil: (promise) => host.addTask(promise),
    passThroughOnException: () => {}, // Workers have it; there is nothing behind a function here
  };
  Object.defineProperty(context, "signal", { get: () => call.signal, enumerable: true });
  return context;
}

// The signal of a request is made when somebody looks at it: most handlers never do.
function lazySignal(call) {
  return () => call.signal;
}

function middlewareOf(module, path, method) {
  const found = module[`onRequest${method[0]}${method.slice(1).toLowerCase()}`] ?? module.onRequest ?? module.default;
  const list = Array.isArray(found) ? found : [found];
  if (!list.every((each) => typeof each === "function")) {
    throw new TypeError(`${path} must export a function: export default async (request, context) => context.next()`);
  }
  return list;
}

function callHandler(module, { method, module: path }, request, context) {
  const found = module[method] ?? (method === "HEAD" ? module.GET : undefined);
  if (typeof found === "function") return found(request, context);
  const any = module.default;
  if (typeof any === "function") return any(request, context);
  if (any !== null && typeof any === "object" && typeof any.fetch === "function") {
    return any.fetch(request, context.env, context); // as Workers write it, and Hono
  }
  const allowed = METHODS.filter((name) => typeof module[name] === "function");
  if (!allowed.length) throw new TypeError(`${path} exports no handler: export function GET(request, context) { ... }`);
  if (allowed.includes("GET") && !allowed.includes("HEAD")) allowed.push("HEAD");
  if (!allowed.includes("OPTIONS")) allowed.push("OPTIONS");
  const headers = { allow: allowed.join(", ") };
  if (method === "OPTIONS") return new Response(null, { status: 204, headers });
  return Response.json(
    { error: { code: "method_not_allowed", message: `This function answers ${headers.allow}.` } },
    { status: 405, headers },
  );
}

function requestStream(host, web, id) {
  return web.bodyStream(
    async () => {
      const { value, bytes } = await host.call("stream.read", { id });
      return value.done ? null : (bytes ?? new Uint8Array(0));
    },
    () => host.call("stream.cancel", { id }),
  );
}

async function sendResponse({ call, response, host, web, wire, resume }) {
  const { status, statusText, headers } = response;
  let { body } = response;
  if (typeof body === "string" && body.length * 3 > INLINE_BYTES) body = web.encodeUtf8(body);
  const isStream = body !== null && typeof body !== "string" && !(body instanceof Uint8Array);
  if (!isStream && (body === null || typeof body === "string" || body.byteLength <= INLINE_BYTES)) {
    wire.write(Kind.RESULT, call.id, 0, { status, statusText, headers, body: "whole" }, body ?? undefined);
    return;
  }
  const length = isStream ? null : body.byteLength;
  wire.write(Kind.RESULT, call.id, 0, { status, statusText, headers, body: "stream", length });
  if (isStream) await sendStream(body.getReader(), { call, host, resume });
  else await sendPieces(body, { call, host, resume });
  await host.call("body.end", null);
}

async function sendStream(reader, sending) {
  try {
    for (;;) {
      const { done, value } = await reader.read();
      sending.resume(sending.call);
      if (done) return;
      if (!(value instanceof Uint8Array)) throw new TypeError("a body's stream must give Uint8Array chunks");
      await sendPieces(value, sending);
    }
  } catch (error) {
    sending.resume(sending.call);
    reader.cancel(error).catch(() => {});
    throw error;
  }
}

async function sendPieces(bytes, { call, host, resume }) {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    await host.call("body.write", null, bytes.subarray(at, at + PIECE_BYTES));
    resume(call);
  }
}
