// Asks in the microtasks of an answer that nobody takes: each answer asks for two more.
export default async (request, { fazt }) => {
  const ask = () => fazt.kv.get("x").then(() => Promise.all([ask(), ask()]), () => {});
  await ask();
  return new Response("an end");
};
