// Queues jobs as fast as it can.
export default async (request, { fazt }) => {
  for (let i = 0; i < 10; i++) {
    await Promise.allSettled(Array.from({ length: 200 }, () => fazt.jobs.enqueue("nothing", {}, { delay: "1h" })));
  }
  return Response.json({ reached: [] });
};
