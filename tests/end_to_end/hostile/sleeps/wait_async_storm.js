// Has the engine itself call back without end: Atomics.waitAsync with the shortest timeout.
export default async () => {
  const words = new Int32Array(new SharedArrayBuffer(4));
  for (;;) await Atomics.waitAsync(words, 0, 0, 1).value;
};
