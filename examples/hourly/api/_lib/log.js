// The tower's log: one entry for each time the bell struck, the newest first (see the number in the key: it falls).

const PREFIX = "strike/";
const FAR_AWAY = 9e15;

export const KEPT = 48;

/** Return the key of the strike of a time. A run that is repeated has the same one, so it writes no second entry. */
export const keyOf = (time) => `${PREFIX}${String(FAR_AWAY - time).padStart(16, "0")}`;

export async function readLog(kv, limit) {
  const { items } = await kv.list({ prefix: PREFIX, limit, values: true });
  return items.map(({ key, value }) => ({ key, ...value }));
}
