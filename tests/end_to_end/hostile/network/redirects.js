// Has its own site send it on to where it may not go.
export default async (request) => {
  const url = new URL(request.url);
  const to = url.searchParams.get("to");
  if (to !== null) return new Response(null, { status: 302, headers: { location: to } });
  const reached = [];
  for (const target of [
    `http://127.0.0.1:${url.port}/_fazt/health`, `http://[::1]:${url.port}/`, "http://169.254.169.254/latest/meta-data/",
    `http://dashboard.localhost:${url.port}/api/sites`, "file:///etc/passwd", `//127.0.0.1:${url.port}/`, "http://0x7f.1/",
  ]) {
    url.search = new URLSearchParams({ to: target });
    await fetch(url).then((response) => reached.push(`${target} ${response.status}`), () => {});
  }
  return Response.json({ reached });
};
