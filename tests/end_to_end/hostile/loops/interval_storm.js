// Five thousand intervals of 1 ms.
export default () => {
  for (let i = 0; i < 5000; i++) setInterval(() => {}, 1);
  return new Promise(() => {});
};
