// Lets the engine read the length of stacks from a getter.
import { exercise } from "../lib/spy.js";

export default async (request, context) => {
  const own = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit");
  Object.defineProperty(Error, "stackTraceLimit", {
    get() {
      throw new Error("from a getter");
    },
    configurable: true,
  });
  try {
    await exercise(context);
  } catch {
    // the site's own trouble
  } finally {
    Object.defineProperty(Error, "stackTraceLimit", own);
  }
  return Response.json({ reached: [] });
};
