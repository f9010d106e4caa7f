// Waiters of Atomics.waitAsync, which the engine keeps in lists of its own.
export default () => {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const kept = [];
  for (;;) kept.push(Atomics.waitAsync(words, 0, 0));
};
