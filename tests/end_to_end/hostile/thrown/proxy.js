// Returns a Proxy of a Response.
export default () => new Proxy(new Response("inside"), {});
