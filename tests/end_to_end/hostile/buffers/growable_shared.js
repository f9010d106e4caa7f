// A shared buffer that grows.
export default () => {
  const buffer = new SharedArrayBuffer(0, { maxByteLength: 2 ** 33 });
  const bytes = new Uint8Array(buffer);
  for (let size = 1 << 20; ; size += 1 << 20) {
    buffer.grow(size);
    bytes.fill(1, size - (1 << 20));
  }
};
