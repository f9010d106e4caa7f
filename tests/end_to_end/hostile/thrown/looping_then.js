// Returns a Response with a `then` that loops.
export default () => Object.defineProperty(new Response("x"), "then", { get() { for (;;); } });
