// The last strikes, for the page.

import { readLog } from "./_lib/log.js";

export async function GET(request, { fazt }) {
  const strikes = (await readLog(fazt.kv, 24)).map(({ key, ...strike }) => strike);
  return Response.json({ strikes }, { headers: { "cache-control": "no-store" } });
}
