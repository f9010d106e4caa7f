// Runs around every function here. `_headers` is for files; what functions answer gets its headers from functions.

const POLICY = "default-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

export default async function (request, { next }) {
  const response = await next();
  response.headers.set("content-security-policy", POLICY);
  response.headers.set("referrer-policy", "no-referrer");
  response.headers.set("cache-control", "no-store");
  return response;
}
