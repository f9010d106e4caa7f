// Maps that user code cannot get hold of: their methods are those of before any script ran.
//
// Rule: no callback that is given to one runs user code.

const METHODS = ["get", "set", "has", "delete", "forEach"];
const prototype = { __proto__: null };
for (const name of METHODS) prototype[name] = Map.prototype[name];
Object.defineProperty(prototype, "size", Object.getOwnPropertyDescriptor(Map.prototype, "size"));
Object.freeze(prototype);

const NativeMap = Map;
const { setPrototypeOf } = Object;

export function privateMap() {
  return setPrototypeOf(new NativeMap(), prototype);
}
