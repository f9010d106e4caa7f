// Fills one transaction with more than it may hold.
export default async (request, { fazt }) => {
  const result = await fazt.kv.transaction(async (tx) => {
    for (let i = 0; i < 40; i++) await tx.set(`key ${i}`, new Uint8Array(1000000));
  }).then(() => ["forty megabytes"], () => []);
  return Response.json({ reached: result });
};
