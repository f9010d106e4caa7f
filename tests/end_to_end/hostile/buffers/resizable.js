// A buffer that may grow to 8 GB, and does.
export default () => {
  const buffer = new ArrayBuffer(0, { maxByteLength: 2 ** 33 });
  const bytes = new Uint8Array(buffer);
  for (let size = 1 << 20; ; size += 1 << 20) {
    buffer.resize(size);
    bytes.fill(1, size - (1 << 20));
  }
};
