// A pattern that takes exponential time.
export default () => new Response(String(/^(a+)+$/.test(`${"a".repeat(60)}b`)));
