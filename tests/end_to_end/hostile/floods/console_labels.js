// Counts under ever new names.
export default () => {
  for (let i = 0; ; i++) console.count(`label ${i} ${"x".repeat(1000)}`);
};
