// An array without end.
export default () => {
  const kept = [];
  for (;;) kept.push(Math.random());
};
