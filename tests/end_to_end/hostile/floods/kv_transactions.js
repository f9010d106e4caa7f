// Opens transactions and never ends them.
export default async (request, { fazt }) => {
  const refused = [];
  for (let i = 0; i < 20; i++) fazt.kv.transaction(() => new Promise(() => {})).catch(() => refused.push(i));
  await fazt.kv.get("x");
  await fazt.kv.get("x");
  return Response.json({ reached: refused.length < 16 ? [20 - refused.length] : [] });
};
