// Takes all memory behind an await, where no caller is left to be told.
export default async () => {
  await null;
  const kept = [];
  for (;;) kept.push([Math.random(), [], {}]);
};
