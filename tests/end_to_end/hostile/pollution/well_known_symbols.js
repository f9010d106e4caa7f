// Changes what instanceof, spreading and conversion ask for.
import { exercise, isOurs } from "../lib/spy.js";

export default async (request, context) => {
  const reached = [];
  const look = (value, answer) => {
    if (isOurs(value)) reached.push("a symbol's method");
    return answer;
  };
  Object.defineProperty(Uint8Array, Symbol.hasInstance, { value: (one) => look(one, true), configurable: true });
  Object.defineProperty(Object.prototype, Symbol.isConcatSpreadable, { get() { return look(this, undefined); }, configurable: true });
  Object.defineProperty(Object.prototype, Symbol.toPrimitive, { get() { return look(this, undefined); }, configurable: true });
  Object.defineProperty(Object.prototype, Symbol.toStringTag, { get() { return look(this, undefined); }, configurable: true });
  try {
    await exercise(context);
  } finally {
    delete Uint8Array[Symbol.hasInstance];
    for (const name of ["isConcatSpreadable", "toPrimitive", "toStringTag"]) delete Object.prototype[Symbol[name]];
  }
  return Response.json({ reached });
};
