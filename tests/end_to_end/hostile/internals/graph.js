// Walks through everything that can be reached from the global object, the request and the context.
import { isOurs } from "../lib/spy.js";

export default (request, context) => {
  const reached = [];
  const seen = new Set();
  const queue = [[globalThis, "globalThis"], [request, "request"], [context, "context"]];
  const visit = (value, path) => {
    if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
    seen.add(value);
    if (isOurs(value)) reached.push(path);
    else if (seen.size < 20000) queue.push([value, path]);
  };
  for (let at = 0; at < queue.length; at++) {
    const [object, path] = queue[at];
    visit(Reflect.getPrototypeOf(object), `${path}.__proto__`);
    for (const key of Reflect.ownKeys(object)) {
      const own = Reflect.getOwnPropertyDescriptor(object, key);
      if (own === undefined) continue;
      for (const part of ["value", "get", "set"]) visit(own[part], `${path}.${String(key)}`);
      try {
        visit(object[key], `${path}.${String(key)}`);
      } catch {
        // a getter of another kind of object
      }
    }
  }
  return Response.json({ reached, seen: seen.size });
};
