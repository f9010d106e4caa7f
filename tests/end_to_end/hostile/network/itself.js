// Fetches itself without end, and says in every way it knows that nobody stands behind it.
export default async (request) => {
  const headers = { "fazt-loop": "0", "Fazt-Loop": "0", "x-fazt-loop": "0" };
  const inner = await fetch(request.url, { headers }).then((response) => response.json(), () => ({ depth: 0 }));
  const depth = (inner.depth ?? 0) + 1;
  return Response.json({ depth, reached: depth > 6 ? [depth] : [] });
};
