// `context.fazt.kv`: keys and values of the site. The host checks everything; here it only gets its shape.

const ATTEMPTS = 8; // of a transaction that others come in between
const NO_VALUE = new Set(["undefined", "function", "symbol", "bigint"]);

// Return [kind, JSON value, bytes] of what is to be kept.
function content(value) {
  if (value instanceof ArrayBuffer) return ["bytes", undefined, new Uint8Array(value)];
  if (ArrayBuffer.isView(value)) {
    return ["bytes", undefined, new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  }
  if (NO_VALUE.has(typeof value) || (typeof value === "number" && !Number.isFinite(value))) {
    const what = typeof value === "number" ? String(value) : typeof value;
    throw new TypeError(`kv keeps JSON values, Uint8Array and ArrayBuffer, not ${what}; to remove a key use delete()`);
  }
  return ["json", value, undefined];
}

function checkKey(key) {
  if (typeof key !== "string") throw new TypeError(`a key is a string, not ${key === null ? "null" : typeof key}`);
  return key;
}

function options(given) {
  if (given === undefined || given === null) return {};
  if (typeof given !== "object") throw new TypeError(`options are an object, not ${typeof given}`);
  return given;
}

// Undefined options are left out, so that the host's defaults hold.
function request(fields, unit) {
  const asked = unit === undefined ? {} : { unit };
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) asked[name] = value;
  return asked;
}

function valueOf(item, bytes) {
  return item.kind === "bytes" ? (bytes ?? new Uint8Array(0)) : item.value;
}

// Bytes of several items come one after the other.
function cut(items, bytes) {
  let at = 0;
  return items.map((item) => {
    if (item.kind !== "bytes") return item.value;
    const part = (bytes ?? new Uint8Array(0)).slice(at, at + item.size);
    at += item.size;
    return part;
  });
}

function methods(host, unit) {
  const call = (op, fields, bytes) => host.call(op, request(fields, unit), bytes);
  return {
    async get(key) {
      const { value, bytes } = await call("kv.get", { key: checkKey(key) });
      return value.found ? valueOf(value, bytes) : null;
    },
    async getEntry(key) {
      const { value, bytes } = await call("kv.get", { key: checkKey(key) });
      if (!value.found) return null;
      return { value: valueOf(value, bytes), version: value.version, expiresAt: value.expires_at };
    },
    async getMany(keys) {
      const { value, bytes } = await call("kv.getMany", { keys: Array.from(keys, checkKey) });
      return cut(value.items, bytes).map((found, at) => (value.items[at].found ? found : null));
    },
    async set(key, value, given) {
      const { ttl, ifVersion } = options(given);
      const [kind, json, bytes] = content(value);
      const { value: written } = await call("kv.set", { key: checkKey(key), kind, value: json, ttl, ifVersion }, bytes);
      return { version: written.version };
    },
    async increment(key, by = 1, given = undefined) {
      const { ttl } = options(given);
      const { value } = await call("kv.increment", { key: checkKey(key), by, ttl });
      return value.value;
    },
    async delete(key, given) {
      const { ifVersion } = options(given);
      const { value } = await call("kv.delete", { key: checkKey(key), ifVersion });
      return value.deleted;
    },
    async list(given) {
      const { prefix, cursor, limit, values } = options(given);
      const { value, bytes } = await call("kv.list", { prefix, cursor, limit, values: Boolean(values) });
      const found = values ? cut(value.items, bytes) : [];
      const items = value.items.map((item, at) => {
        const entry = { key: item.key, version: item.version, expiresAt: item.expires_at };
        if (values) entry.value = found[at];
        return entry;
      });
      return { items, cursor: value.cursor };
    },
  };
}

async function abort(host, unit) {
  try {
    await host.call("kv.abort", { unit });
  } catch {
    // The call ends, and with it the transaction; what went wrong before matters more.
  }
}

// Run `work` on one state of the data and commit what it wrote; where others came in between, run it again.
async function transaction(host, work) {
  if (typeof work !== "function") throw new TypeError("transaction() takes a function: async (tx) => ...");
  for (let attempt = 0; ; attempt++) {
    const { value } = await host.call("kv.begin", { attempt }); // the host has a later attempt wait a little
    try {
      let result;
      try {
        result = await work(Object.freeze(methods(host, value.unit)));
      } catch (error) {
        await abort(host, value.unit);
        throw error;
      }
      await host.call("kv.commit", { unit: value.unit });
      return result;
    } catch (error) {
      if (error?.code !== "kv_conflict" || attempt + 1 >= ATTEMPTS) throw error;
    }
  }
}

export function kv(host) {
  return Object.freeze({ ...methods(host, undefined), transaction: (work) => transaction(host, work) });
}
