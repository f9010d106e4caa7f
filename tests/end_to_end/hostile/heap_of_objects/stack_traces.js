// Stacks of a million frames.
export default () => {
  Error.stackTraceLimit = Infinity;
  const kept = [];
  const deep = (n) => {
    if (n === 0) kept.push(new Error("deep").stack);
    else deep(n - 1);
  };
  for (;;) deep(5000);
};
