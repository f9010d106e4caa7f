// A stream that is filled without anybody reading.
export default () => new Response(new ReadableStream({
  start(controller) {
    for (;;) controller.enqueue(new Uint8Array(100000).fill(1));
  },
}));
