// Replaces call, apply and bind.
import { watch } from "../lib/spy.js";

export default async (request, context) =>
  Response.json({ reached: await watch([Function.prototype], context) });
