// Sets more timers than there may be.
export default () => {
  const reached = [];
  try {
    for (let i = 0; i < 50000; i++) setTimeout(() => {}, 100000);
    reached.push("fifty thousand timers");
  } catch (error) {
    if (!(error instanceof RangeError)) reached.push(String(error));
  }
  return Response.json({ reached });
};
