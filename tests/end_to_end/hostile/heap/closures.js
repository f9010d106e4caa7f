// Closures that each keep the one before.
export default () => {
  let last = () => 0;
  for (;;) {
    const before = last;
    const data = new Array(100).fill(before);
    last = () => [before, data];
  }
};
