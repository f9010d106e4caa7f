// Gets at the list of timers, and puts one in that belongs to nobody and goes on for good.
export default () => {
  const reached = [];
  const before = {};
  for (const name of ["splice", "push", "shift", "indexOf", "sort"]) {
    before[name] = Array.prototype[name];
    Array.prototype[name] = function (...values) {
      if (this[0]?.callback !== undefined) {
        reached[0] = name;
        this[this.length] = {
          id: 1e9, at: 0, every: 1, call: { id: 0 }, parameters: [], callback() {
            for (const end = performance.now() + 20; performance.now() < end;);
          },
        };
      }
      return Reflect.apply(before[name], this, values);
    };
  }
  setTimeout(() => {}, 1000);
  setTimeout(() => {}, 1);
  for (const name in before) Array.prototype[name] = before[name];
  return Response.json({ reached });
};
