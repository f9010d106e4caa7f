// Fetches its own page with a body that has no end.
export default async (request) => {
  const body = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65536)) });
  const reached = await fetch(new URL("/", request.url), { method: "POST", body, duplex: "half" })
    .then((response) => (response.ok ? ["an endless body"] : []), () => []);
  return Response.json({ reached });
};
