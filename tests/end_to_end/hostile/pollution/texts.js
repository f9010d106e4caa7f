// Replaces everything about texts, patterns, numbers and JSON.
import { watch } from "../lib/spy.js";

export default async (request, context) => {
  const owners = [String.prototype, String, RegExp.prototype, JSON, Number, Number.prototype, Math, Date, Symbol];
  return Response.json({ reached: await watch(owners, context) });
};
