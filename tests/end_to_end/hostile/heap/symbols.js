// Symbols that are never forgotten.
export default () => {
  for (let i = 0; ; i++) Symbol.for(`symbol ${i} ${"x".repeat(1000)}`);
};
