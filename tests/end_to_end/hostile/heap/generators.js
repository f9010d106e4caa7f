// Generators that are all in the middle of something.
export default () => {
  const kept = [];
  function* middle() {
    const data = new Array(1000).fill(kept);
    yield data;
  }
  for (;;) {
    const one = middle();
    one.next();
    kept.push(one);
  }
};
