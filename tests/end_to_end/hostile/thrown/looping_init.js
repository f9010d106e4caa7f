// Has the options of a Response loop.
export default () => new Response("x", { get status() { for (;;); } });
