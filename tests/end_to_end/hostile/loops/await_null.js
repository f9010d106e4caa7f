// Microtasks without end: the isolate never comes back to its loop.
export default async () => {
  for (;;) await null;
};
