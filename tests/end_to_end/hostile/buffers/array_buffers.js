// Buffers, which the heap's limit does not count.
export default () => {
  const kept = [];
  for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
};
