// Asks sloppy functions who called them, in the middle of the platform's work.
import { isOurs } from "../lib/spy.js";

export default async (request, { fazt }) => {
  const reached = [];
  const look = new Function("report", `return function sloppy() {
    let caller = arguments.callee.caller;
    for (let i = 0; i < 20 && caller; i++) {
      report(caller, caller.arguments);
      caller = caller.caller;
    }
    return 1;
  }`)((caller, given) => {
    if (isOurs(caller)) reached.push("a caller");
    for (const one of given ?? []) if (isOurs(one)) reached.push(`an argument of ${caller.name}`);
  });
  await fazt.kv.set("spied", { toJSON: look }).catch(() => {});
  await fazt.kv.get({ toString: look }).catch(() => {});
  setTimeout(look, 1);
  await new Promise((resolve) => setTimeout(resolve, { valueOf: look }));
  queueMicrotask(look);
  await new Promise((resolve) => setTimeout(resolve, 5));
  return Response.json({ reached });
};
