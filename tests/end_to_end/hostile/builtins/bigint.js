// A number of many millions of digits, in one call.
export default () => new Response(String((3n ** 50000000n) % 7n));
