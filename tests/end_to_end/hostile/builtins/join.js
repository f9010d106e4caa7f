// Joins an array of the greatest length.
export default () => new Response(new Array(4294967295).join());
