// Makes responses with statuses that are none.
export default () => {
  const reached = [];
  for (const status of [0, 100, 101, 103, 199, 600, 999, -200, 2e9, NaN, "abc", null, {}]) {
    try {
      new Response(null, { status });
      reached.push(String(status));
    } catch {
      // as it should be
    }
  }
  return Response.json({ reached });
};
