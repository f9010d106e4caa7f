// Timers that go on when the call has ended: with it they must end too.
export default () => {
  const again = () => setTimeout(again, 0);
  again();
  return Response.json({ reached: [] });
};
