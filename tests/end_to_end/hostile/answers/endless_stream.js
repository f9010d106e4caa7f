// Streams without end, to a client that may not read.
export default () => new Response(new ReadableStream({
  pull: (controller) => controller.enqueue(new Uint8Array(65536).fill(120)),
}));
