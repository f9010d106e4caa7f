// Calls everything that a function is given with objects that throw, loop back or lie.
const circle = {};
circle.circle = circle;
const ODD = [
  undefined, null, NaN, Infinity, -0, 10n, Symbol("s"), () => {}, circle, new Proxy({}, { get() { throw new Error("trap"); } }),
  Object.create(null), new Date(NaN), "\ud800", { toString: null }, { toJSON() { throw new Error("json"); } },
  { valueOf: () => ({}) }, new Uint8Array(0), new Uint8Array(new SharedArrayBuffer(4)), new (class extends Uint8Array {
    get byteLength() { return 1e9; } get buffer() { return null; } })(4),
];
export default async (request, { fazt }) => {
  const work = [];
  for (const odd of ODD) {
    const { kv, files, jobs, rooms, log, env, secrets } = fazt;
    for (const ask of [
      () => kv.get(odd), () => kv.set(odd, odd), () => kv.set("k", odd, { ttl: odd }), () => kv.set("k", odd),
      () => kv.increment("n", odd), () => kv.delete(odd), () => kv.list({ prefix: odd, cursor: odd, limit: odd }),
      () => kv.getMany(odd), () => kv.transaction(odd), () => kv.transaction(() => odd), () => files.read(odd),
      () => files.list(odd, { cursor: odd, limit: odd }), () => files.write("x.txt", odd), () => files.delete(odd),
      () => jobs.enqueue(odd, odd, odd), () => rooms.get(odd).broadcast(odd), () => rooms.get("x").send(odd, odd),
      () => rooms.get("x").close(odd, odd), () => rooms.get("x").history({ since: odd }), () => env.get(odd),
      () => secrets.get(odd), () => log.info(odd), () => fetch(odd, odd), () => setTimeout(odd, odd),
      () => setTimeout(() => {}, odd), () => clearTimeout(odd), () => new Response(odd, odd), () => new Request(odd, odd),
      () => crypto.getRandomValues(odd), () => crypto.subtle.digest(odd, odd), () => structuredClone(odd),
      () => new Headers(odd), () => queueMicrotask(odd), () => console.log(odd, odd), () => fazt.db.get(odd),
    ]) {
      try {
        work.push(Promise.resolve(ask()).catch(() => {}));
      } catch {
        // refused at once
      }
    }
    await Promise.race([Promise.all(work), new Promise((resolve) => setTimeout(resolve, 100))]);
  }
  return Response.json({ reached: [] });
};
