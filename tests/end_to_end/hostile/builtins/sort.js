// A comparator that is asked for ever: it sorts inside of itself.
export default () => {
  const compare = (a, b) => [3, 2, 1].sort(compare).length + a - b;
  return Response.json({ reached: [2, 1].sort(compare) });
};
