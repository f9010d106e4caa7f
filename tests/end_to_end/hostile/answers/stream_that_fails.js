// Streams a little, and fails.
export default () => new Response(new ReadableStream({
  pull(controller) {
    if (this.begun) throw new Error("in the middle");
    this.begun = true;
    controller.enqueue(new TextEncoder().encode("begun "));
  },
}));
