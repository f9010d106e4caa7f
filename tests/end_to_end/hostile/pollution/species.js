// Has typed arrays make their copies with a constructor that keeps the buffer it is given.
import { exercise, isOurs } from "../lib/spy.js";

export default async (request, context) => {
  const reached = [];
  const kinds = [Uint8Array, Int32Array, Float64Array, Array, Promise, ArrayBuffer, SharedArrayBuffer, RegExp];
  const before = kinds.map((kind) => [kind, Object.getOwnPropertyDescriptor(kind.prototype, "constructor")]);
  for (const [kind] of before) {
    const look = (values) => {
      for (let i = 0; i < values.length; i++) if (isOurs(values[i])) reached.push(kind.name);
    };
    const spy = function (...values) {
      look(values);
      return Reflect.construct(kind, values);
    };
    Object.defineProperty(spy, Symbol.species, { value: spy });
    Object.defineProperty(kind.prototype, "constructor", {
      get() {
        look([this]);
        return spy;
      },
      configurable: true,
    });
  }
  try {
    await exercise(context);
  } finally {
    for (const [kind, own] of before) Object.defineProperty(kind.prototype, "constructor", own);
  }
  return Response.json({ reached });
};
