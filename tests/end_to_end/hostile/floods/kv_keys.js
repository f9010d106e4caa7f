// Keeps keys that are none: too long, of half characters, of control characters.
export default async (request, { fazt }) => {
  const reached = [];
  for (const key of ["", "x".repeat(513), "ä".repeat(300), "a".repeat(1e6)]) {
    await fazt.kv.set(key, 1).then(() => reached.push(key.length), () => {});
  }
  for (const key of ["\ud800", "\0", "\n", "'; DROP TABLE kv; --", "%", "_", "\uffff"]) {
    await fazt.kv.set(key, key).catch(() => {});
    await fazt.kv.list({ prefix: key, limit: 1000 }).catch(() => {});
  }
  return Response.json({ reached });
};
