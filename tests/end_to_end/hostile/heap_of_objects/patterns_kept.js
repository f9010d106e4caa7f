// Patterns that are compiled and kept.
export default () => {
  const kept = [];
  for (let i = 0; ; i++) {
    const pattern = new RegExp(`(${"[a-z]{1,9}|".repeat(200)}${i})`);
    pattern.test("q".repeat(50));
    kept.push(pattern);
  }
};
