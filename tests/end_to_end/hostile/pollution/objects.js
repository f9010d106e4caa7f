// Replaces what Object and Reflect offer.
import { watch } from "../lib/spy.js";

export default async (request, context) =>
  Response.json({ reached: await watch([Object.prototype, Object, Reflect], context) });
