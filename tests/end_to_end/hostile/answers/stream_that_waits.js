// Streams a little, and never goes on.
export default () => new Response(new ReadableStream({
  start(controller) {
    controller.enqueue(new TextEncoder().encode("begun "));
  },
}));
