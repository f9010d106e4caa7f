// Fetches other ports of its own host, where something else of this machine may listen.
export default async (request) => {
  const reached = [];
  const { hostname } = new URL(request.url);
  for (const port of [1, 22, 25, 3306, 5432, 6379, 8080, 9200, 11211]) {
    await fetch(`http://${hostname}:${port}/`).then(() => reached.push(port), () => {});
  }
  return Response.json({ reached });
};
