// The hello of bench/functions.py on Deno's own server.

const port = Number(Deno.args[0]);
Deno.serve({ port, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
  if (new URL(request.url).pathname !== "/api/hello") return new Response(null, { status: 404 });
  return Response.json({ hello: "world" });
});
