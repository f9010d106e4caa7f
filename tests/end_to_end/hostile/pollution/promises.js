// Replaces every method of promises.
import { watch } from "../lib/spy.js";

export default async (request, context) =>
  Response.json({ reached: await watch([Promise.prototype, Promise], context) });
