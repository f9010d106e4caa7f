// Asks with more than fits.
export default async (request, { fazt }) => {
  const reached = [];
  for (const value of ["ä".repeat(3000000), new Uint8Array(30000000), Array(1000000).fill({})]) {
    await fazt.kv.set("large", value).then(() => reached.push("kept"), () => {});
    await fazt.jobs.enqueue("nothing", value).then(() => reached.push("queued"), () => {});
    await fazt.files.write("large.txt", typeof value === "object" ? new Uint8Array(30000000) : value)
      .then(() => reached.push("written"), () => {});
  }
  return Response.json({ reached });
};
