// Sends headers that would change where a request goes or how long it is.
const EVIL = {
  host: "dashboard.localhost", "content-length": "3", "transfer-encoding": "chunked", connection: "upgrade",
  upgrade: "websocket", "x-forwarded-for": "127.0.0.1", "x-forwarded-host": "dashboard.localhost", forwarded: "for=1",
  te: "trailers", trailer: "x", "proxy-authorization": "x", expect: "100-continue", "keep-alive": "1",
};
export default async (request) => {
  const url = new URL(request.url);
  if (url.searchParams.has("echo")) return Response.json(Object.fromEntries(request.headers));
  const reached = [];
  url.search = "?echo";
  for (const [name, value] of Object.entries(EVIL)) {
    const sent = await fetch(url, { headers: { [name]: value } }).then((response) => response.json(), () => ({}));
    if (sent[name] === value) reached.push(name);
    if (sent.host !== undefined && sent.host !== url.host) reached.push(`host by ${name}`);
  }
  return Response.json({ reached });
};
