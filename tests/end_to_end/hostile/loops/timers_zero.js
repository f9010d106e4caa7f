// Timers of 0 ms without end: every turn is short, all together are not.
export default () => {
  const again = () => setTimeout(again, 0);
  again();
  return new Promise(() => {});
};
