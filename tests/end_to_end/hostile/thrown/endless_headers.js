// Gives headers from an iterator without end.
export default () => new Response("x", {
  headers: { [Symbol.iterator]: () => ({ next: () => ({ done: false, value: ["a", "b"] }) }) },
});
