// Runs at each full hour: fazt.json says when. What it writes and the job that it queues are there together, or not at all.

import { keyOf } from "../_lib/log.js";

export default async function (event, { fazt }) {
  const due = new Date(event.scheduledTime);
  const strikes = due.getUTCHours() % 12 || 12;
  const key = keyOf(event.scheduledTime);
  await fazt.kv.set(key, { due: event.scheduledTime, struck: Date.now(), strikes, echo: null });
  await fazt.jobs.enqueue("echo", { key }, { delay: 3, unique: key });
  console.log(`the bell struck ${strikes} for ${due.toISOString()}`);
  return { strikes };
}
