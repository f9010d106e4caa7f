// Sleeps for good with Atomics.wait, which would hold up every other call of the site.
export default () => {
  const reached = [];
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    reached.push("slept");
  } catch (error) {
    if (!(error instanceof TypeError)) reached.push(String(error));
  }
  return Response.json({ reached });
};
