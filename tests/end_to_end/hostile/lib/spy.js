// Looks for what is the platform's own in everything that passes through built-ins which a script has replaced.

const { apply, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;
const { setPrototypeOf } = Object;
const TypedArray = getPrototypeOf(Uint8Array.prototype);
const bufferOf = getOwnPropertyDescriptor(TypedArray, "buffer").get;
const viewBufferOf = getOwnPropertyDescriptor(DataView.prototype, "buffer").get;
const sharedLength = getOwnPropertyDescriptor(SharedArrayBuffer.prototype, "byteLength").get;
const { isView } = ArrayBuffer;

function isShared(value) {
  try {
    apply(sharedLength, value, []);
    return true;
  } catch {
    return false;
  }
}

function buffer(value) {
  try {
    return apply(bufferOf, value, []);
  } catch {
    return apply(viewBufferOf, value, []);
  }
}

const has = (value, name) => getOwnPropertyDescriptor(value, name) !== undefined;

// Say whether something is the shared memory, a view of it, the host, a call, a timer or a question under way.
export function isOurs(value) {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  try {
    if (isShared(value)) return true;
    if (isView(value)) return isShared(buffer(value));
    if (has(value, "loggedBytes") || has(value, "addTask") || has(value, "setDeadline")) return true;
    return has(value, "call") && (has(value, "callback") || has(value, "reject") || has(value, "wire"));
  } catch {
    return false;
  }
}

// Do what makes the platform work.
export async function exercise({ fazt, waitUntil }) {
  const quiet = () => {};
  await fazt.kv.set("spied", { a: [1, 2] }).catch(quiet);
  await fazt.kv.set("spied bytes", new Uint8Array(10)).catch(quiet);
  await fazt.kv.get("spied bytes").catch(quiet);
  await fazt.kv.list({ prefix: "sp", values: true }).catch(quiet);
  await fazt.kv.transaction(async (tx) => tx.increment("n")).catch(quiet);
  await fazt.files.read("index.html").catch(quiet);
  await fazt.jobs.enqueue("nothing", {}).catch(quiet);
  await fazt.rooms.get("x").members().catch(quiet);
  console.log("%s %o", "text", { a: 1 }, [1, 2], new Map([[1, 2]]));
  waitUntil(Promise.resolve(1));
  waitUntil(Promise.reject(new Error("nothing")));
  await new Promise((resolve) => setTimeout(resolve, 1, "a", "b"));
  clearTimeout(setTimeout(quiet, 1000));
  const interval = setInterval(quiet, 1000);
  clearInterval(interval);
  queueMicrotask(quiet);
  crypto.getRandomValues(new Uint8Array(16));
  crypto.randomUUID();
  await crypto.subtle.digest("SHA-256", new Uint8Array(8)).catch(quiet);
  performance.now();
  await fetch("http://127.0.0.1/").catch(quiet);
  const response = new Response("text", { headers: { a: "b", "set-cookie": "c=d" } });
  await response.clone().text().catch(quiet);
  await new Response(new Blob(["x"]).stream()).arrayBuffer().catch(quiet);
  structuredClone({ a: new Date(), b: [1] });
  new URL("http://a.example/?b=c").searchParams.get("b");
  new TextDecoder().decode(new TextEncoder().encode("ä"));
  new AbortController().abort();
}

// Replace every method and getter of some objects by one that looks at what it is given; return where it saw ours.
export async function watch(owners, context, work = exercise) {
  const found = setPrototypeOf([], null);
  const undo = setPrototypeOf([], null);
  const look = (name, self, values) => {
    if (isOurs(self)) found[found.length] = `this of ${name}`;
    for (let i = 0; i < values.length; i++) if (isOurs(values[i])) found[found.length] = `argument of ${name}`;
  };
  const wrapped = (name, method) => {
    const replaced = function (...values) {
      look(name, this, values);
      return new.target === undefined ? apply(method, this, values) : Reflect.construct(method, values, new.target);
    };
    setPrototypeOf(replaced, method);
    return replaced;
  };
  for (const owner of owners) {
    for (const key of ownKeys(owner)) {
      const own = getOwnPropertyDescriptor(owner, key);
      if (key === "constructor" || key === "prototype" || key === "__proto__" || !own.configurable) continue;
      const replaced = { __proto__: null, ...own };
      for (const part of ["value", "get", "set"]) {
        if (typeof own[part] === "function") replaced[part] = wrapped(String(key), own[part]);
      }
      undo[undo.length] = { __proto__: null, owner, key, own: { __proto__: null, ...own }, replaced };
    }
  }
  // From here on nothing may be used that was replaced: no iterator, no method of an array.
  try {
    for (let i = 0; i < undo.length; i++) defineProperty(undo[i].owner, undo[i].key, undo[i].replaced);
    await work(context);
  } finally {
    for (let i = 0; i < undo.length; i++) defineProperty(undo[i].owner, undo[i].key, undo[i].own);
  }
  return [...setPrototypeOf(found, Array.prototype)];
}
