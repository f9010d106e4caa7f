// Asks the engine for the functions and receivers on the stack while the platform throws.
import { exercise, isOurs } from "../lib/spy.js";

export default async (request, context) => {
  const reached = [];
  Error.prepareStackTrace = (error, frames) => {
    for (const frame of frames) {
      for (const part of [frame.getThis(), frame.getFunction(), frame.getTypeName()]) {
        if (isOurs(part)) reached.push("a frame");
        else if (typeof part === "function") {
          for (const name of ["arguments", "caller"]) {
            try {
              if (part[name] !== null && part[name] !== undefined) reached.push(`${part.name}.${name}`);
            } catch {
              // a strict function
            }
          }
        }
      }
    }
    return "";
  };
  Error.stackTraceLimit = 100;
  const spied = { toJSON: () => new Error("in the middle").stack };
  try {
    await exercise(context);
    await context.fazt.kv.set("spied", spied).catch((error) => error.stack);
    await context.fazt.kv.get(5).catch((error) => error.stack);
    setTimeout(() => new Error("a timer").stack, 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
  } finally {
    delete Error.prepareStackTrace;
    Error.stackTraceLimit = 10;
  }
  return Response.json({ reached });
};
