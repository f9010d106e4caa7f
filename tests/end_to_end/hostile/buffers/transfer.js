// Buffers that are given on at twice the size.
export default () => {
  let buffer = new ArrayBuffer(1 << 20);
  for (;;) {
    buffer = buffer.transfer(buffer.byteLength * 2);
    new Uint8Array(buffer).fill(1);
  }
};
