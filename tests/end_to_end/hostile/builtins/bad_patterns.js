// Patterns that are as large as a pattern can be.
export default () => {
  for (let i = 0; ; i++) new RegExp(`(?:(?:a{1,30}b|c){1,30}d|${i}){1,9}`).test("abacus");
};
