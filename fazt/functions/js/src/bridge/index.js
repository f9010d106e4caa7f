// `context.fazt`: what a function may ask of its site's platform.

import { jobs } from "./jobs.js";
import { kv } from "./kv.js";
import { rooms } from "./rooms.js";

const LATER = ["db", "mail", "ai", "auth"];

function files(host) {
  return {
    async read(path) {
      const { value, bytes } = await host.call("files.read", { path: String(path) });
      if (!value.found) return null;
      return value.stream === null ? (bytes ?? new Uint8Array(0)) : readAll(host, value.stream);
    },
    async text(path) {
      const bytes = await this.read(path);
      return bytes === null ? null : new TextDecoder().decode(bytes);
    },
    async list(prefix = "", { cursor, limit } = {}) {
      const { value } = await host.call("files.list", { prefix: String(prefix), cursor: cursor ?? null, limit: limit ?? null });
      return value;
    },
    async write(path, data) {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data.buffer ?? data);
      return (await host.call("files.write", { path: String(path) }, bytes)).value;
    },
    async delete(path) {
      return (await host.call("files.delete", { path: String(path) })).value;
    },
  };
}

async function readAll(host, id) {
  const pieces = [];
  let size = 0;
  for (;;) {
    const { value, bytes } = await host.call("stream.read", { id });
    if (value.done) break;
    pieces.push(bytes);
    size += bytes.length;
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function logger() {
  const levels = {};
  for (const level of ["debug", "info", "warn", "error"]) {
    levels[level] = (...values) => console[level](...values);
  }
  return levels;
}

// A named part that this version does not have: every use of it says so.
function later(name) {
  const refuse = () => {
    const error = new Error(`fazt.${name} is not available in this version`);
    error.code = "not_available";
    return Promise.reject(error);
  };
  return new Proxy(refuse, {
    get: (target, property) => (property === "then" || typeof property === "symbol" ? undefined : refuse),
  });
}

function values(all, names) {
  return {
    async get(name) {
      return names.includes(String(name)) ? all[String(name)] : null;
    },
    async list() {
      return [...names];
    },
  };
}

export function makeFazt(host, site, environment) {
  const fazt = {
    kv: kv(host),
    files: files(host),
    rooms: rooms(host),
    jobs: jobs(host),
    log: logger(),
    site: Object.freeze(site),
    env: values(environment.env, Object.keys(environment.env)),
    secrets: values(environment.secrets, Object.keys(environment.secrets)),
    waitUntil: (promise) => host.addTask(promise),
  };
  for (const name of LATER) fazt[name] = later(name);
  return Object.freeze(fazt);
}
