// Looks for globals that a function must not have.
const NAMES = [
  "__sab", "__bell", "__slice", "host", "wire", "kernel", "require", "module", "exports", "process", "global", "Deno",
  "Bun", "WebSocket", "EventSource", "XMLHttpRequest", "Worker", "SharedWorker", "importScripts", "ShadowRealm",
  "caches", "indexedDB", "localStorage", "gc", "load", "read", "readFile", "print", "quit", "os", "d8", "Realm", "drain",
  "setImmediate", "Buffer", "__dirname", "__filename", "window", "document", "opener", "parent", "top", "open",
];
export default () => {
  const sloppy = new Function("return this")();
  const reached = NAMES.filter((name) => name in globalThis || name in sloppy);
  for (const name of NAMES) {
    try {
      if (new Function(`return typeof ${name}`)() !== "undefined") reached.push(name);
    } catch {
      // no such name
    }
  }
  return Response.json({ reached });
};
