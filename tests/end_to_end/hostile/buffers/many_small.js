// Small buffers, each with what the engine keeps about it.
export default () => {
  const kept = [];
  for (;;) kept.push(new ArrayBuffer(64));
};
