// WebAssembly tables.
export default () => {
  const kept = [];
  for (;;) kept.push(new WebAssembly.Table({ element: "externref", initial: 1000000 }, {}));
};
