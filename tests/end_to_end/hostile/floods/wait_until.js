// Keeps the call open with a hundred thousand promises that nobody resolves.
export default (request, { waitUntil }) => {
  for (let i = 0; i < 100000; i++) waitUntil(new Promise(() => {}));
  return Response.json({ reached: [] });
};
