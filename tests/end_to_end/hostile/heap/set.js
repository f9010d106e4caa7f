// A Set without end, of texts.
export default () => {
  const set = new Set();
  for (let i = 0; ; i++) set.add(`value ${i}`);
};
