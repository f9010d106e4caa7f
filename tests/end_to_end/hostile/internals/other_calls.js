// Uses the numbers of transactions and streams that other calls may have open.
import { forge } from "../lib/forge.js";

export default async (request, { fazt }) => {
  const reached = [];
  for (let id = 0; id < 100; id++) {
    for (const op of ["stream.read", "stream.write", "fetch.response", "crypto.pull"]) {
      await forge(fazt, op, { id }).then(() => reached.push(`${op} ${id}`), () => {});
    }
    for (const op of ["kv.commit", "kv.get"]) {
      await forge(fazt, op, { unit: id, key: "marker" }).then(() => reached.push(`${op} ${id}`), () => {});
    }
  }
  return Response.json({ reached });
};
