// An endless loop.
export default () => {
  for (;;);
};
