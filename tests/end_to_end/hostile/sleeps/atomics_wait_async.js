// Waits for a notification that never comes.
export default async () => {
  await Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0).value;
  return new Response("woken");
};
