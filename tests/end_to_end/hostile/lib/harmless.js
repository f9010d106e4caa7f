// What every hostile site must still be able to do.
export default async (request, { fazt }) => {
  await fazt.kv.set("harmless", 1);
  return new Response(`harmless ${await fazt.kv.get("harmless")}`);
};
