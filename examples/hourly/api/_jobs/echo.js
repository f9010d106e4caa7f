// The echo from the other side of the valley, some seconds after the bell; then the log is tidied.

import { KEPT, readLog } from "../_lib/log.js";

export default async function ({ key }, { fazt }) {
  const strike = await fazt.kv.get(key);
  if (strike === null) return "there was nothing to echo";
  await fazt.kv.set(key, { ...strike, echo: Date.now() });
  const old = (await readLog(fazt.kv, KEPT + 20)).slice(KEPT);
  for (const { key } of old) await fazt.kv.delete(key);
  return `tidied ${old.length}`;
}
