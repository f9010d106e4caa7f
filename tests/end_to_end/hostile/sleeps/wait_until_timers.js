// Answers, and keeps itself alive with waitUntil and timers.
export default (request, { waitUntil }) => {
  waitUntil((async () => {
    for (;;) await new Promise((resolve) => setTimeout(resolve, 0));
  })());
  return Response.json({ reached: [] });
};
