// A Map without end.
export default () => {
  const map = new Map();
  for (let i = 0; ; i++) map.set(i, [i]);
};
