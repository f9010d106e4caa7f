// Large numbers that are kept.
export default () => {
  const kept = [];
  for (let i = 0n; ; i++) kept.push((1n << 4000000n) + i);
};
