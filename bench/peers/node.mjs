// The hello of bench/functions.py on node's own http server.

import { createServer } from "node:http";

const server = createServer((request, response) => {
  if (request.url !== "/api/hello") {
    response.writeHead(404).end();
    return;
  }
  const body = JSON.stringify({ hello: "world" });
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
});
server.listen(Number(process.argv[2]), "127.0.0.1");
