// Streams a little, and loops.
export default () => new Response(new ReadableStream({
  async pull(controller) {
    if (this.begun) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      for (;;);
    }
    this.begun = true;
    controller.enqueue(new TextEncoder().encode("begun "));
  },
}));
