// Long arrays that are filled at once.
export default () => {
  const kept = [];
  for (;;) kept.push(new Array(30000000).fill(1.5));
};
