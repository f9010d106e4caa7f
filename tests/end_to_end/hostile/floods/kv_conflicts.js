// A transaction that comes in its own way each time.
export default async (request, { fazt }) => {
  const result = await fazt.kv.transaction(async (tx) => {
    await tx.increment("contended");
    await fazt.kv.increment("contended");
  }).then(() => ["committed"], (error) => (error.code === "kv_conflict" ? [] : [String(error)]));
  return Response.json({ reached: result });
};
