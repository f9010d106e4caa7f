// A WebAssembly module of a hundred thousand functions, compiled over and over.
export default () => {
  const leb = (number) => (number < 128 ? [number] : [(number & 127) | 128, ...leb(number >>> 7)]);
  const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];
  const count = 20000;
  const functions = [];
  const bodies = [];
  for (let i = 0; i < count; i++) {
    functions.push(0);
    bodies.push(2, 0, 0x0b);
  }
  const code = new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, ...section(1, [1, 0x60, 0, 0]),
    ...section(3, leb(count).concat(functions)), ...section(10, leb(count).concat(bodies)),
  ]);
  const kept = [];
  for (;;) kept.push(new WebAssembly.Module(code));
};
