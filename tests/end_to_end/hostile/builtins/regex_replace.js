// The same in a built-in that looks for every match.
export default () => new Response(`${"a".repeat(40)}!`.repeat(50).replaceAll(/(a*)*b/g, "c"));
