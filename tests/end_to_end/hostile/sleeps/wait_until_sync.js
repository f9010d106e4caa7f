// Answers, and loops in a timer given to waitUntil.
export default (request, { waitUntil }) => {
  waitUntil(new Promise(() => setTimeout(() => { for (;;); }, 20)));
  return Response.json({ reached: [] });
};
