// Streams bytes that lie about how many they are.
export default () => {
  class Liar extends Uint8Array {
    get length() { return 1e9; }
    get byteLength() { return 1e9; }
    get byteOffset() { return -5; }
    subarray() { return { byteLength: 2 ** 31, length: 2 ** 31, 0: 1 }; }
  }
  return new Response(new ReadableStream({
    start(controller) {
      controller.enqueue(new Liar(10));
      controller.close();
    },
  }));
};
