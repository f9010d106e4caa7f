// Queues a job that never ends.
export default async (request, { fazt }) => {
  await fazt.jobs.enqueue("endless", {}, { retries: 0 });
  return Response.json({ reached: [] });
};
