// Sets cookies for the parent domain, and so for every other site.
export default () => {
  const headers = new Headers({ "content-type": "application/json" });
  for (const domain of ["localhost", ".localhost", "LOCALHOST", " localhost ", "good.localhost"]) {
    headers.append("set-cookie", `a=b; Domain=${domain}; Path=/`);
    headers.append("set-cookie", `a=b;domain="${domain}"`);
    headers.append("set-cookie", `a=b;x=y; DOMAIN =${domain}`);
  }
  return new Response('{"reached":[]}', { headers });
};
