// Microtasks without end, by queueMicrotask.
export default () => {
  const again = () => queueMicrotask(again);
  again();
  return new Promise(() => {});
};
