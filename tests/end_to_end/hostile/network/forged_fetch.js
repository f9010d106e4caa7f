// Opens a fetch behind the back of `fetch`, which would check its URL and headers.
import { forge } from "../lib/forge.js";

export default async (request, { fazt }) => {
  const reached = [];
  const { port } = new URL(request.url);
  const evil = [["x", "1\r\nx-evil: 1"]];
  for (const value of [
    { url: `http://127.0.0.1:${port}/` }, { url: "http://[::1]/" }, { url: request.url, headers: evil },
    { url: request.url, method: "GET / HTTP/1.1\r\nx-evil: 1\r\n\r\n" }, { url: `${request.url} HTTP/1.1\r\nx-evil: 1` },
    { url: request.url, method: "CONNECT" }, { url: "http://127.0.0.1\\@localhost/" }, { url: `http://localhost@127.0.0.1:${port}/` },
  ]) {
    const asked = { method: "GET", headers: [], body: null, redirect: "follow", ...value };
    const opened = await forge(fazt, "fetch.open", asked).catch(() => null);
    const id = opened?.id ?? opened?.fetch ?? opened?.request;
    if (id === undefined) continue;
    const answer = await forge(fazt, "fetch.response", { id }).catch(() => null);
    if (answer !== null) reached.push(JSON.stringify(value));
  }
  return Response.json({ reached });
};
