// Asks for large answers, and does not take them.
export default async (request, { fazt }) => {
  await fazt.kv.set("large", new Uint8Array(1000000));
  for (let i = 0; i < 250; i++) fazt.kv.get("large").catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 1));
  for (const end = performance.now() + 300; performance.now() < end;);
  return Response.json({ reached: [] });
};
