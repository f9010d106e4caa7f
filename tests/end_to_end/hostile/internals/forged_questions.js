// Asks every operation for nonsense: each is refused, and the server's log has nothing to tell of it. `from` says which
// ones, because a call has only so much time.
import { forge } from "../lib/forge.js";

const OPS = [
  "kv.get", "kv.getMany", "kv.set", "kv.increment", "kv.delete", "kv.list", "kv.begin", "kv.commit", "kv.abort",
  "files.read", "files.list", "files.write", "files.delete", "stream.read", "stream.cancel", "stream.write", "stream.close",
  "stream.abort", "fetch.open", "fetch.response", "fetch.cancel", "crypto.digest", "crypto.sign", "crypto.push",
  "crypto.pull", "crypto.importKey", "crypto.generateKey", "crypto.deriveBits", "crypto.encrypt", "rooms.broadcast",
  "rooms.members", "rooms.history", "rooms.send", "rooms.kick", "jobs.enqueue", "body.write", "body.end", "", "__init__",
  "no.such", "kv", "kv.__class__", "\u0000", 5, null, {}, [], true,
];
const nested = (depth) => {
  let value = 0;
  for (let i = 0; i < depth; i++) value = i % 2 ? [value] : { key: value };
  return value;
};
const odd = (one) => ({
  key: one, keys: one, kind: one, value: one, by: one, ttl: one, ifVersion: one, unit: one, prefix: one, cursor: one,
  limit: one, values: one, path: one, id: one, reason: one, url: one, method: one, headers: one, body: one, redirect: one,
  algorithm: one, lengths: one, room: one, data: one, member: one, since: one, name: one, options: one, attempt: one,
});
const VALUES = [
  null, 0, -1, 1e308, 9007199254740993, "", "text", true, [], {}, [[]], "x".repeat(100000), nested(300), nested(1500),
  odd(null), odd(-1), odd(1e20), odd(0.5), odd(""), odd("\u0000"), odd("ä".repeat(600)), odd([]), odd([null]), odd({}),
  odd({ name: "x" }), odd(true), odd(nested(200)), odd(nested(900)), odd(["a", 1, null]), odd("../../x"), odd(2 ** 31),
];

export default async (request, { fazt }) => {
  const asked = [];
  const from = Number(new URL(request.url).searchParams.get("from"));
  for (const op of OPS.slice(from, from + 12)) {
    for (const value of VALUES) asked.push(forge(fazt, op, value).catch(() => {}));
    asked.push(forge(fazt, op, odd("x"), new Uint8Array(1000).fill(255)).catch(() => {}));
    await Promise.race([Promise.allSettled(asked), new Promise((resolve) => setTimeout(resolve, 50))]);
  }
  return Response.json({ reached: [] });
};
