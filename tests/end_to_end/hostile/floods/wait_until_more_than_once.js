// Ends a call more often than it has parts, with promises that settle many times.
export default (request, { waitUntil }) => {
  class Twice extends Promise {
    then(good, bad) {
      for (let i = 0; i < 5; i++) {
        good?.();
        bad?.(new Error("again"));
      }
      return super.then(good, bad);
    }
  }
  for (let i = 0; i < 100; i++) waitUntil(new Twice((resolve) => resolve()));
  return Response.json({ reached: [] });
};
