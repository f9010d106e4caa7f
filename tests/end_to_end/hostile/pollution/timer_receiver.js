// Looks at what a timer's callback is called on.
import { isOurs } from "../lib/spy.js";

export default async () => {
  const reached = [];
  await new Promise((resolve) => {
    setTimeout(function () {
      if (this !== undefined && (isOurs(this) || this !== globalThis)) reached.push("the timer");
      resolve();
    }, 1);
  });
  return Response.json({ reached });
};
