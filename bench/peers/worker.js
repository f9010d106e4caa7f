// The hello of bench/functions.py as a worker of workerd.

export default {
  fetch(request) {
    if (new URL(request.url).pathname !== "/api/hello") return new Response(null, { status: 404 });
    return Response.json({ hello: "world" });
  },
};
