// Asks with two megabytes at a time, and does not wait.
export default (request, { fazt }) => {
  const bytes = new Uint8Array(1900000);
  for (let i = 0; i < 200; i++) fazt.kv.set(`key ${i}`, bytes).catch(() => {});
  return Response.json({ reached: [] });
};
