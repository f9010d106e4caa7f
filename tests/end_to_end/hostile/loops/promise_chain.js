// Microtasks without end, by hand.
export default () => {
  const again = () => Promise.resolve().then(again);
  again();
  return new Promise(() => {});
};
