// Fetches its own page a thousand times.
export default async (request) => {
  const page = new URL("/", request.url);
  const all = await Promise.allSettled(Array.from({ length: 1000 }, () => fetch(page)));
  const answered = all.filter(({ status }) => status === "fulfilled").length;
  return Response.json({ reached: answered > 20 ? [answered] : [] });
};
