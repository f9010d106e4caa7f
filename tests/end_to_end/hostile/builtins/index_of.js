// A built-in without user code that walks to the end of the numbers.
export default () => new Response(String(Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)));
