// Keeps large values, as fast as it can.
export default async (request, { fazt }) => {
  for (let round = 0; round < 3; round++) {
    await Promise.allSettled(Array.from({ length: 10 }, (_, i) => fazt.kv.set(`${i}`, new Uint8Array(1000000), { ttl: 60 })));
  }
  return Response.json({ reached: [] });
};
