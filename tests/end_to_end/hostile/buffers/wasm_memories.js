// WebAssembly memories without end: each reserves gigabytes of address space.
export default () => {
  const kept = [];
  for (;;) kept.push(new WebAssembly.Memory({ initial: 16, maximum: 65536 }));
};
