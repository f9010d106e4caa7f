// Parses what is nested a million times.
export default () => {
  JSON.parse("[".repeat(1000000) + "]".repeat(1000000));
  return Response.json({ reached: [] });
};
