// Streams what is no bytes: the answer has begun, so its end must not look like one.
export default () => new Response(new ReadableStream({
  start(controller) {
    controller.enqueue(new TextEncoder().encode("begun "));
    controller.enqueue("text");
    controller.close();
  },
}));
