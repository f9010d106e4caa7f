// Turns round an object that says it is very long.
export default () => new Response(String(Array.prototype.reverse.call({ length: 2 ** 53 - 1 })));
