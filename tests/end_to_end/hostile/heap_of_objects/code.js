// Code that is kept.
export default () => {
  const kept = [];
  for (let i = 0; ; i++) {
    const made = new Function(`return [${`${i},`.repeat(5000)}]`);
    made();
    kept.push(made);
  }
};
