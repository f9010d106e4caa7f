// Loops where the collector calls back, outside of any call.
export default () => {
  const registry = new FinalizationRegistry(() => { for (;;); });
  for (let i = 0; i < 10000; i++) registry.register({ i }, i);
  let garbage = [];
  for (let i = 0; i < 200; i++) garbage = [new Array(10000).fill(i), garbage[0]];
  return Response.json({ reached: [] });
};
