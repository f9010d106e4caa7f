// Sends pieces for an operation of crypto that never comes.
import { forge } from "../lib/forge.js";

export default async (request, { fazt }) => {
  const bytes = new Uint8Array(1000000);
  for (let i = 0; i < 250; i++) forge(fazt, "crypto.push", { id: i }, bytes).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 500));
  return Response.json({ reached: [] });
};
