// WebAssembly memory that grows and is used.
export default () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
  for (;;) {
    const before = memory.grow(64) * 65536;
    new Uint8Array(memory.buffer).fill(1, before);
  }
};
