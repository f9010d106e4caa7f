// Texts that are kept.
export default () => {
  const kept = [];
  for (let i = 0; ; i++) kept.push(`${i}`.padStart(100000, "x").toUpperCase());
};
