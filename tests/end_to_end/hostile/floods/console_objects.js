// Writes what is hard to show: circles, depths, traps and getters.
export default () => {
  const circle = new Map();
  circle.set(circle, circle);
  let deep = {};
  for (let i = 0; i < 100000; i++) deep = { deep };
  const trap = new Proxy({}, { ownKeys() { throw new Error("trap"); }, get() { throw new Error("trap"); } });
  for (const value of [circle, deep, trap, { get x() { throw new Error("getter"); } }, new Array(1e8), "x".repeat(1e7)]) {
    try {
      console.log(value, [value], { value });
    } catch {
      // it may throw what it was given to look at
    }
  }
  return Response.json({ reached: [] });
};
